package import Telemetry

/// Every metric of Lemma's own, by area; only this module names metrics.
///
/// Units and names follow Prometheus' rules: base units, `_total` for counters, labels from closed sets. The handles are
/// taken once; observing is an atomic addition.
package struct LemmaMetrics: Sendable {
    package let registry: MetricsRegistry

    package let requests: RequestMetrics
    package let streams: StreamMetrics
    package let http: HTTPMetrics
    package let queue: QueueMetrics
    package let work: WorkMetrics
    package let persister: PersisterMetrics
    package let redis: RedisMetrics
    package let postgres: PostgresMetrics

    package init(_ registry: MetricsRegistry) {
        self.registry = registry
        requests = RequestMetrics(registry)
        streams = StreamMetrics(registry)
        http = HTTPMetrics(registry)
        queue = QueueMetrics(registry)
        work = WorkMetrics(registry)
        persister = PersisterMetrics(registry)
        redis = RedisMetrics(registry)
        postgres = PostgresMetrics(registry)
    }

    /// What calls of one of the configured providers are measured by; taken once for each.
    package func provider(_ name: String) -> ProviderMetrics { ProviderMetrics(registry, name) }
}
