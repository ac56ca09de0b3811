package import Telemetry
internal import Time

/// Records on their way to PostgreSQL.
package struct PersisterMetrics: Sendable {
    /// Records of requests that the archive has kept, and those it refuses for good.
    package let kept: Counter
    package let refused: Counter
    /// Times the archive could not be reached or refused for the moment.
    package let failures: Counter
    package let backlogRecords: Reading
    package let backlogAgeSeconds: Reading

    init(_ registry: MetricsRegistry) {
        kept = registry.counter("lemma_persister_records_kept_total", help: "Records written to PostgreSQL")
        refused = registry.counter("lemma_persister_records_refused_total", help: "Records put aside for good")
        failures = registry.counter("lemma_persister_failures_total", help: "Writes that PostgreSQL did not take")
        let everywhere = "; the same on every worker: use max, not sum"
        backlogRecords = registry.reading(
            "lemma_persister_backlog_records",
            help: "Records waiting for PostgreSQL" + everywhere,
        )
        backlogAgeSeconds = registry.reading(
            "lemma_persister_backlog_age_seconds",
            help: "Age of the oldest record waiting for PostgreSQL" + everywhere,
        )
    }

    /// Shows how many records wait to be kept, of all replicas, and for how long the oldest; nil where Redis could not be
    /// asked.
    package func showBacklog(_ backlog: (records: Int, age: Duration)?) {
        backlogRecords.set(backlog.map { Double($0.records) })
        backlogAgeSeconds.set(backlog.map { $0.age.inSeconds })
    }
}
