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
    package let outcomes: OutcomeMetrics
    package let queue: QueueMetrics
    package let work: WorkMetrics
    package let persister: PersisterMetrics
    package let redis: RedisMetrics
    package let postgres: PostgresMetrics
    package let replica: ReplicaMetrics
    package let traces: TraceMetrics

    private let worker: MetricsRegistry

    /// A replica shows the metrics of its `roles` only; the others are there, and nobody sees them.
    package init(_ registry: MetricsRegistry, roles: Set<ReplicaRole> = Set(ReplicaRole.allCases)) {
        self.registry = registry
        let unseen = MetricsRegistry()
        let api = roles.contains(.api) ? registry : unseen
        worker = roles.contains(.worker) ? registry : unseen
        requests = RequestMetrics(api)
        streams = StreamMetrics(api)
        http = HTTPMetrics(api)
        outcomes = OutcomeMetrics(registry)
        queue = QueueMetrics(registry)
        work = WorkMetrics(worker)
        persister = PersisterMetrics(worker)
        redis = RedisMetrics(registry)
        postgres = PostgresMetrics(registry)
        replica = ReplicaMetrics(registry)
        traces = TraceMetrics(registry)
    }

    /// What calls of one of the configured providers are measured by; taken once for each.
    package func provider(_ name: String, model: String) -> ProviderMetrics {
        ProviderMetrics(worker, name, model: model)
    }
}

/// What a replica does; one of a development server does both.
package enum ReplicaRole: String, Sendable, CaseIterable {
    case api
    case worker
}
