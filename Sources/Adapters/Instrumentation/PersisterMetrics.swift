package import Telemetry

/// Records on their way to PostgreSQL.
package struct PersisterMetrics: Sendable {
    /// Records of requests that the archive has kept, and those it refuses for good.
    package let kept: Counter
    package let refused: Counter
    /// Times the archive could not be reached or refused for the moment.
    package let failures: Counter
    /// Records that wait to be kept, of all replicas, and the age of the oldest.
    package let backlogRecords: Gauge
    package let backlogAgeSeconds: Gauge

    init(_ registry: MetricsRegistry) {
        kept = registry.counter("lemma_persister_records_kept_total", help: "Records written to PostgreSQL")
        refused = registry.counter("lemma_persister_records_refused_total", help: "Records put aside for good")
        failures = registry.counter("lemma_persister_failures_total", help: "Writes that PostgreSQL did not take")
        backlogRecords = registry.gauge("lemma_persister_backlog_records", help: "Records waiting for PostgreSQL")
        backlogAgeSeconds = registry.gauge("lemma_persister_backlog_age_seconds", help: "Age of the oldest of them")
    }
}
