package import Telemetry

/// Why a span was not exported.
package enum SpanLoss: String, Sendable, CaseIterable {
    /// The queue was full, because the collector was too slow or unreachable.
    case queueFull = "queue_full"
    /// The collector rejected it.
    case rejected
    /// No attempt reached the collector.
    case unreachable
}

/// The metrics of the export of spans.
package struct SpanExportMetrics: Sendable {
    package let exported: Counter
    package let lost: Counters<SpanLoss>
    /// Requests that the collector did not accept.
    package let failures: Counter

    package init(exported: Counter, lost: Counters<SpanLoss>, failures: Counter) {
        self.exported = exported
        self.lost = lost
        self.failures = failures
    }
}
