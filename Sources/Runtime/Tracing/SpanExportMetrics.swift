package import Telemetry

/// Why a span was not exported.
package enum SpanLoss: String, Sendable, CaseIterable {
    /// The collector was too slow or away, and the queue full.
    case queueFull = "queue_full"
    /// The collector refused it.
    case rejected
    /// The collector could not be reached, however often it was tried.
    case unreachable
}

/// What the export of spans is measured by.
package struct SpanExportMetrics: Sendable {
    package let exported: Counter
    package let lost: Counters<SpanLoss>
    /// Requests to the collector that it did not take.
    package let failures: Counter

    package init(exported: Counter, lost: Counters<SpanLoss>, failures: Counter) {
        self.exported = exported
        self.lost = lost
        self.failures = failures
    }
}
