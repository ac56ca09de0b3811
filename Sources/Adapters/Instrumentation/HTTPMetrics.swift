package import Telemetry

/// The public listener.
package struct HTTPMetrics: Sendable {
    package let connections: Gauge
    package let malformed: Counter
    package let seconds: Histogram
    private let registry: MetricsRegistry

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        connections = registry.gauge("lemma_http_connections", help: "Connections open")
        malformed = registry.counter("lemma_http_malformed_requests_total", help: "Requests that were none")
        seconds = registry.histogram("lemma_http_request_duration_seconds", help: "Requests, last byte to answer")
    }

    /// Responses by route pattern and status; taken once for each combination.
    package func responses(route: String, status: Int) -> Counter {
        registry.counter(
            "lemma_http_responses_total",
            help: "Responses, by route and status",
            labels: ["route": route, "status": String(status)],
        )
    }
}
