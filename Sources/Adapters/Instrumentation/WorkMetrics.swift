package import Telemetry

/// How a request ended.
package enum RequestOutcome: String, Sendable, CaseIterable {
    case completed
    case failed
    case cancelled
}

/// Jobs and attempts of this worker.
package struct WorkMetrics: Sendable {
    package let active: Gauge
    /// Requests ended by this worker.
    package let finished: Counters<RequestOutcome>
    /// From the start of an attempt to its first token.
    package let firstTokenSeconds: Histogram
    /// From the start of the last attempt to its end.
    package let attemptSeconds: Histogram
    /// Attempts given up because another worker has the job.
    package let fenced: Counter

    init(_ registry: MetricsRegistry) {
        active = registry.gauge("lemma_jobs_active", help: "Jobs being worked on")
        finished = registry.counters("lemma_requests_finished_total", help: "Requests ended, by status", by: "status")
        firstTokenSeconds = registry.histogram("lemma_attempt_first_token_seconds", help: "Attempt to first token")
        attemptSeconds = registry.histogram("lemma_attempt_duration_seconds", help: "Start to end of last attempts")
        fenced = registry.counter("lemma_attempts_fenced_total", help: "Attempts lost to another worker")
    }
}
