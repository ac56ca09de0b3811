package import Telemetry
internal import Time

/// The archiving of records in PostgreSQL.
package struct PersisterMetrics: Sendable {
    /// Records that were archived, and records that were dead-lettered.
    package let kept: Counter
    package let refused: Counter
    /// Failed writes of batches.
    package let failures: Counter
    package let backlogRecords: Reading
    package let backlogAgeSeconds: Reading

    init(_ registry: MetricsRegistry) {
        kept = registry.counter("lemma_persister_records_kept_total", help: "Records written to PostgreSQL")
        refused = registry.counter("lemma_persister_records_refused_total", help: "Records dead-lettered")
        failures = registry.counter("lemma_persister_failures_total", help: "Failed writes to PostgreSQL")
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

    /// Sets the number of waiting records of all replicas and the age of the oldest; nil where Redis could not be read.
    package func showBacklog(_ backlog: (records: Int, age: Duration)?) {
        backlogRecords.set(backlog.map { Double($0.records) })
        backlogAgeSeconds.set(backlog.map { $0.age.inSeconds })
    }
}
