package import Telemetry

/// The connections to Redis.
package struct RedisMetrics: Sendable {
    package let seconds: Histogram
    package let failures: Counter
    package let reconnects: Counter
    package let timeouts: Counter
    /// Commands without an answer, of all loops, counted twice a second.
    package let pending: Gauge

    init(_ registry: MetricsRegistry) {
        seconds = registry.histogram("lemma_redis_command_duration_seconds", help: "Redis commands, sent to answered")
        failures = registry.counter("lemma_redis_command_failures_total", help: "Redis commands without success")
        reconnects = registry.counter("lemma_redis_reconnects_total", help: "Connections made again")
        pending = registry.gauge(
            "lemma_redis_commands_pending",
            help: "Redis commands sent or to be sent, not answered"
        )
        timeouts = registry.counter("lemma_redis_timeouts_total", help: "Connections given up as silent")
    }
}
