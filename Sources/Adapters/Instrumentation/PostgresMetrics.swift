package import Telemetry

/// The pool of PostgreSQL: batches of statements, waits for a connection, connections.
package struct PostgresMetrics: Sendable {
    package let seconds: Histogram
    package let failures: Counter
    package let timeouts: Counter
    package let waitSeconds: Histogram
    package let connections: Gauge
    package let connectionsInUse: Gauge
    /// How many there may be.
    package let connectionsMax: Gauge
    /// Callers that wait for one.
    package let waiting: Gauge
    package let lost: Counter
    package let unreachable: Counter

    init(_ registry: MetricsRegistry) {
        seconds = registry.histogram(
            "lemma_postgres_batch_duration_seconds",
            help: "Batches of statements, sent to answered",
        )
        failures = registry.counter("lemma_postgres_batch_failures_total", help: "Batches without success")
        timeouts = registry.counter("lemma_postgres_timeouts_total", help: "Batches ended at their deadline")
        waitSeconds = registry.histogram("lemma_postgres_wait_seconds", help: "Waits for a connection")
        connections = registry.gauge("lemma_postgres_connections", help: "Connections open")
        connectionsInUse = registry.gauge("lemma_postgres_connections_in_use", help: "Connections at work")
        connectionsMax = registry.gauge("lemma_postgres_connections_max", help: "Connections that there may be")
        waiting = registry.gauge("lemma_postgres_waiting", help: "Callers that wait for a connection")
        lost = registry.counter("lemma_postgres_connections_lost_total", help: "Connections that broke")
        unreachable = registry.counter(
            "lemma_postgres_connection_failures_total",
            help: "Connections that did not come about",
        )
    }
}
