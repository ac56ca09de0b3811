internal import Telemetry
package import Tracing

/// The export of spans; all zero where tracing is off.
package struct TraceMetrics: Sendable {
    package let exports: SpanExportMetrics
    private let registry: MetricsRegistry

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        exports = SpanExportMetrics(
            exported: registry.counter("lemma_trace_spans_exported_total", help: "Spans that the collector took"),
            lost: registry.counters(
                "lemma_trace_spans_lost_total",
                help: "Spans that no collector took, by reason",
                by: "reason",
            ),
            failures: registry.counter(
                "lemma_trace_export_failures_total",
                help: "Requests to the collector that it did not take",
            ),
        )
    }

    /// Shows how many spans wait; once in a process.
    package func observeQueue(_ count: @escaping @Sendable () -> Int) {
        registry.observeGauge("lemma_trace_queue_spans", help: "Spans that wait for the collector") { Double(count()) }
    }
}
