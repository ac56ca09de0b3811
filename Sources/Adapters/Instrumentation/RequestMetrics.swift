package import Telemetry

/// Why a problem was not accepted, other than by a fault of its own.
package enum RefusalReason: String, Sendable, CaseIterable {
    case queueFull = "queue_full"
    /// As many wait in the conversation as may.
    case conversationCrowded = "conversation_crowded"
    /// Too many records wait for PostgreSQL.
    case archiveBehind = "archive_behind"
    case unavailable
}

/// Problems as the API takes them.
package struct RequestMetrics: Sendable {
    package let submitted: Counter
    package let refused: Counters<RefusalReason>

    init(_ registry: MetricsRegistry) {
        submitted = registry.counter("lemma_requests_submitted_total", help: "Problems accepted")
        refused = registry.counters(
            "lemma_requests_refused_total",
            help: "Problems refused at submission, by reason",
            by: "reason",
        )
    }
}
