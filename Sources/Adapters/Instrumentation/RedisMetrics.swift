package import Telemetry

/// The use of a connection to Redis; each loop has one of each kind that its role needs.
package enum RedisConnectionKind: String, Sendable, CaseIterable {
    case commands
    /// Reads that wait for new entries of a stream.
    case waiting
    /// Subscriptions: events and cancellation requests.
    case pushes
}

/// The connections to Redis; durations and failures exclude blocking commands.
package struct RedisMetrics: Sendable {
    package let seconds: Histogram
    package let failures: Counter
    package let reconnects: Counters<RedisConnectionKind>
    package let timeouts: Counters<RedisConnectionKind>
    /// Commands without a reply, of all loops, counted twice a second.
    package let pending: Gauge
    /// Calls that Redis rejects permanently.
    package let refused: Counter
    /// 1 where Redis may evict keys.
    package let mayEvict: Gauge

    init(_ registry: MetricsRegistry) {
        seconds = registry.histogram(
            "lemma_redis_command_duration_seconds",
            help: "Redis commands, from sending to reply"
        )
        failures = registry.counter("lemma_redis_command_failures_total", help: "Failed Redis commands")
        reconnects = registry.counters(
            "lemma_redis_reconnects_total",
            help: "Reconnections, by the use of the connection",
            by: "connection",
        )
        pending = registry.gauge(
            "lemma_redis_commands_pending",
            help: "Redis commands without a reply"
        )
        refused = registry.counter(
            "lemma_redis_refused_total",
            help: "Calls that Redis rejects permanently: a key of another type, or an error in a function",
        )
        mayEvict = registry.gauge(
            "lemma_redis_may_evict",
            help: "1 where maxmemory-policy lets Redis evict keys, which loses requests",
        )
        timeouts = registry.counters(
            "lemma_redis_timeouts_total",
            help: "Connections closed after a timeout, by the use of the connection",
            by: "connection",
        )
    }
}
