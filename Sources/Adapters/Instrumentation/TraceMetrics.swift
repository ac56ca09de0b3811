internal import Telemetry
package import Tracing

/// The export of spans; all zero where tracing is off.
package struct TraceMetrics: Sendable {
    package let exports: SpanExportMetrics

    init(_ registry: MetricsRegistry) {
        let lost: Counters<SpanLoss> = registry.counters(
            "lemma_trace_spans_lost_total",
            help: "Spans that no collector took, by reason",
            by: "reason",
        )
        exports = SpanExportMetrics(
            exported: registry.counter("lemma_trace_spans_exported_total", help: "Spans that the collector took"),
            lost: Dictionary(uniqueKeysWithValues: SpanLoss.allCases.map { ($0, lost[$0]) }),
            failures: registry.counter(
                "lemma_trace_export_failures_total",
                help: "Requests to the collector that it did not take",
            ),
        )
    }
}
