package import Telemetry

/// How a stream to a client ended; each that was opened ends in exactly one of these ways.
package enum StreamEnd: String, Sendable, CaseIterable {
    /// With the request's last event.
    case ended
    /// The stored events were gone.
    case gone
    case clientClosed = "client_closed"
    /// The connection broke.
    case connectionFailed = "connection_failed"
    /// The client took nothing for too long, or acknowledged nothing.
    case stalled
    case vanished
    /// Sent away by a replica that drains, or because Redis cannot be reached.
    case drained
    case unavailable
    /// Open when the drain was over.
    case shutDown = "shut_down"
}

/// Why a client was told to begin anew.
package enum StreamReset: String, Sendable, CaseIterable {
    /// A new attempt writes the answer once more.
    case restarted
    /// Events that the client may have are gone.
    case historyLost = "history_lost"
}

/// Event streams to clients.
package struct StreamMetrics: Sendable {
    package let active: Gauge
    /// Streams opened, and those of them that continue from an event id.
    package let opened: Counter
    package let resumed: Counter
    package let ends: Counters<StreamEnd>
    package let resets: Counters<StreamReset>
    /// Times a client was too slow and its stream went back to reading from the store.
    package let stalled: Counter
    package let bufferedBytes: Gauge
    package let eventsDelivered: Counter
    /// From a worker's append, by its clock, to the write to the socket, by this replica's.
    package let deliverySeconds: Histogram
    /// From the submission, by the clock of who accepted it, to the write of the first token, by this replica's.
    package let firstTokenSeconds: Histogram

    init(_ registry: MetricsRegistry) {
        active = registry.gauge("lemma_streams_active", help: "Streams open to clients")
        opened = registry.counter("lemma_streams_opened_total", help: "Streams opened")
        resumed = registry.counter("lemma_streams_resumed_total", help: "Streams continued from an event id")
        ends = registry.counters("lemma_streams_ended_total", help: "Streams ended, by how", by: "reason")
        resets = registry.counters(
            "lemma_streams_reset_total",
            help: "Times a client was told to begin its answer anew, by reason",
            by: "reason",
        )
        stalled = registry.counter("lemma_streams_stalled_total", help: "Times a client was too slow")
        bufferedBytes = registry.gauge("lemma_streams_buffered_bytes", help: "Bytes that clients have not taken yet")
        eventsDelivered = registry.counter("lemma_events_delivered_total", help: "Events written to clients")
        deliverySeconds = registry.histogram(
            "lemma_event_delivery_seconds",
            help: "Append of an event to its write to a client's socket; a sample, with the difference of two clocks",
            limits: Histogram.fineSeconds,
        )
        firstTokenSeconds = registry.histogram(
            "lemma_request_first_token_seconds",
            help: "Submission to the first token written to a client who waits for it",
        )
    }
}
