package import Telemetry

/// Event streams to clients.
package struct StreamMetrics: Sendable {
    package let active: Gauge
    /// Streams opened, and those of them that continue from an event id.
    package let opened: Counter
    package let resumed: Counter
    /// Times a client was too slow and its stream went back to reading from the store.
    package let stalled: Counter
    package let eventsDelivered: Counter

    init(_ registry: MetricsRegistry) {
        active = registry.gauge("lemma_streams_active", help: "Streams open to clients")
        opened = registry.counter("lemma_streams_opened_total", help: "Streams opened")
        resumed = registry.counter("lemma_streams_resumed_total", help: "Streams continued from an event id")
        stalled = registry.counter("lemma_streams_stalled_total", help: "Times a client was too slow")
        eventsDelivered = registry.counter("lemma_events_delivered_total", help: "Events written to clients")
    }
}
