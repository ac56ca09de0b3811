package import Telemetry

/// What a connection to Redis is for; each loop has one of each kind that its role needs.
package enum RedisConnectionKind: String, Sendable, CaseIterable {
    case commands
    /// Reads that wait for new entries of a stream.
    case waiting
    /// Subscriptions: events, and wishes to cancel.
    case pushes
}

/// The connections to Redis; durations and failures are those of commands that do not wait on purpose.
package struct RedisMetrics: Sendable {
    package let seconds: Histogram
    package let failures: Counter
    package let reconnects: Counters<RedisConnectionKind>
    package let timeouts: Counters<RedisConnectionKind>
    /// Commands without an answer, of all loops, counted twice a second.
    package let pending: Gauge
    /// Calls that Redis refuses for good.
    package let refused: Counter
    /// 1 where Redis may evict keys.
    package let mayEvict: Gauge

    init(_ registry: MetricsRegistry) {
        seconds = registry.histogram("lemma_redis_command_duration_seconds", help: "Redis commands, sent to answered")
        failures = registry.counter("lemma_redis_command_failures_total", help: "Redis commands without success")
        reconnects = registry.counters(
            "lemma_redis_reconnects_total",
            help: "Connections made again, by what they are for",
            by: "connection",
        )
        pending = registry.gauge(
            "lemma_redis_commands_pending",
            help: "Redis commands sent or to be sent, not answered"
        )
        refused = registry.counter(
            "lemma_redis_refused_total",
            help: "Calls that Redis refuses for good: a key of another type, or an error in a function",
        )
        mayEvict = registry.gauge(
            "lemma_redis_may_evict",
            help: "1 where maxmemory-policy lets Redis evict keys, which loses requests",
        )
        timeouts = registry.counters(
            "lemma_redis_timeouts_total",
            help: "Connections given up as silent, by what they are for",
            by: "connection",
        )
    }
}
