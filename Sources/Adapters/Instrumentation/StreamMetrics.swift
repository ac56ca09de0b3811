package import Telemetry

/// How a stream to a client ended; each opened stream has exactly one end.
package enum StreamEnd: String, Sendable, CaseIterable {
    /// With the terminal event.
    case ended
    /// The stored events had expired or were lost.
    case gone
    case clientClosed = "client_closed"
    /// The connection broke.
    case connectionFailed = "connection_failed"
    /// The client read nothing for too long, or acknowledged nothing.
    case stalled
    case vanished
    /// Ended with a retry hint by a draining replica, or because Redis cannot be reached.
    case drained
    case unavailable
    /// The caller's account or API key was withdrawn.
    case withdrawn
    /// Still open at the end of the drain.
    case shutDown = "shut_down"
}

/// Why a client had to restart its answer.
package enum StreamReset: String, Sendable, CaseIterable {
    /// A new attempt writes the answer once more.
    case restarted
    /// Events that the client may have are lost.
    case historyLost = "history_lost"
}

/// Event streams to clients.
package struct StreamMetrics: Sendable {
    package let active: Gauge
    /// Opened streams, and those among them that resume from an event id.
    package let opened: Counter
    package let resumed: Counter
    package let ends: Counters<StreamEnd>
    package let resets: Counters<StreamReset>
    /// Times a slow client's stream fell back to reading from the store.
    package let stalled: Counter
    package let bufferedBytes: Gauge
    package let eventsDelivered: Counter
    /// From a worker's append, by its clock, to the write to the socket, by this replica's.
    package let deliverySeconds: Histogram
    /// From the submission, by the accepting replica's clock, to the write of the first token, by this replica's.
    package let firstTokenSeconds: Histogram

    init(_ registry: MetricsRegistry) {
        active = registry.gauge("lemma_streams_active", help: "Streams open to clients")
        opened = registry.counter("lemma_streams_opened_total", help: "Streams opened")
        resumed = registry.counter("lemma_streams_resumed_total", help: "Streams continued from an event id")
        ends = registry.counters("lemma_streams_ended_total", help: "Streams ended, by reason", by: "reason")
        resets = registry.counters(
            "lemma_streams_reset_total",
            help: "Restarts and resets sent to clients, by reason",
            by: "reason",
        )
        stalled = registry.counter(
            "lemma_streams_stalled_total",
            help: "Times a slow client's stream fell back to reading from Redis"
        )
        bufferedBytes = registry.gauge("lemma_streams_buffered_bytes", help: "Bytes that clients have not read yet")
        eventsDelivered = registry.counter("lemma_events_delivered_total", help: "Events written to clients")
        deliverySeconds = registry.histogram(
            "lemma_event_delivery_seconds",
            help:
                "Append of an event to its write to a client's socket; a sample, includes the difference of two clocks",
            limits: Histogram.fineSeconds,
        )
        firstTokenSeconds = registry.histogram(
            "lemma_request_first_token_seconds",
            help: "Submission to the first token written to a waiting client",
        )
    }
}
