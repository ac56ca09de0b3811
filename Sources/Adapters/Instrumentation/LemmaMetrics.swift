package import Telemetry

/// All metrics of Lemma, by area; only this module names metrics.
///
/// Units and names follow Prometheus' rules: base units, `_total` for counters, labels from closed sets. The handles are
/// created once; an observation is an atomic addition. "How a metric is fed" in docs/architecture.md says which code feeds a
/// metric.
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

    /// A replica exports the metrics of its `roles`; the others exist in a registry that is not exported.
    package init(_ registry: MetricsRegistry, roles: Set<ReplicaRole> = Set(ReplicaRole.allCases)) {
        self.registry = registry
        let notExported = MetricsRegistry()
        let api = roles.contains(.api) ? registry : notExported
        worker = roles.contains(.worker) ? registry : notExported
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

    /// The metrics of the calls of one provider; created once for each.
    package func provider(_ name: String, model: String) -> ProviderMetrics {
        ProviderMetrics(worker, name, model: model)
    }
}

/// The role of a replica; a development server has both.
package enum ReplicaRole: String, Sendable, CaseIterable {
    case api
    case worker
}
