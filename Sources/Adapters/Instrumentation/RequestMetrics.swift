package import Application
package import Telemetry

/// Submissions to the API.
package struct RequestMetrics: Sendable {
    package let submitted: Counter
    package let refused: Counters<MathProblemRefused.Reason>

    init(_ registry: MetricsRegistry) {
        submitted = registry.counter("lemma_requests_submitted_total", help: "Problems accepted")
        refused = registry.counters(
            "lemma_requests_refused_total",
            help: "Problems refused at submission, by reason",
            by: "reason",
        )
    }
}
