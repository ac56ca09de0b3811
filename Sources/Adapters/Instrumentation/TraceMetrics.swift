internal import Telemetry
package import Tracing

/// The export of spans; all zero where tracing is off.
package struct TraceMetrics: Sendable {
    package let exports: SpanExportMetrics
    private let registry: MetricsRegistry

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        exports = SpanExportMetrics(
            exported: registry.counter("lemma_trace_spans_exported_total", help: "Spans that the collector accepted"),
            lost: registry.counters(
                "lemma_trace_spans_lost_total",
                help: "Spans that were not exported, by reason",
                by: "reason",
            ),
            failures: registry.counter(
                "lemma_trace_export_failures_total",
                help: "Failed requests to the collector",
            ),
        )
    }

    /// Reads the number of queued spans with each scrape; called once per process.
    package func observeQueue(_ count: @escaping @Sendable () -> Int) {
        registry.observeGauge("lemma_trace_queue_spans", help: "Spans that wait for their export") { Double(count()) }
    }
}
