package import Telemetry

/// What a replica needs to be ready, or soon.
package enum ReadinessCheck: String, Sendable, CaseIterable {
    /// Every loop can write to Redis.
    case redis
    case postgres
    /// The database has this release's schema.
    case migrations
    /// The replica does not drain.
    case accepting
}

/// The process itself: readiness and event loops.
package struct ReplicaMetrics: Sendable {
    /// As last found by a probe or a scrape.
    package let ready: Gauge
    package let checks: Gauges<ReadinessCheck>
    /// How much later than wanted a loop comes to what is due.
    package let loopLagSeconds: Histogram
    /// Times at which a listener stopped accepting for a moment because there were no descriptors.
    package let acceptPauses: Counter
    private let registry: MetricsRegistry

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        ready = registry.gauge(
            "lemma_ready",
            help: "1 while the replica is ready, as last found by a probe or a scrape"
        )
        checks = registry.gauges(
            "lemma_ready_check",
            help: "1 for each check of the readiness that passes",
            by: "check"
        )
        acceptPauses = registry.counter(
            "lemma_accept_pauses_total",
            help: "Pauses in accepting connections because the process or the system had no file descriptors left"
        )
        loopLagSeconds = registry.histogram(
            "lemma_loop_lag_seconds",
            help: "How late the event loops come to what is due, twice a second",
        )
    }

    /// Log lines that could not be written, asked for at each scrape; once.
    package func observeLostLogLines(_ count: @escaping @Sendable () -> Int) {
        registry.observeCounter(
            "lemma_log_lines_lost_total",
            help: "Log lines not written: the pipe was full or its reader gone, or the disk was full",
        ) { Double(count()) }
    }

    /// The time that a loop has waited for something to do, asked for at each scrape; once for each loop.
    package func observeIdleTime(ofLoop index: Int, _ read: @escaping @Sendable () -> Double?) {
        registry.observeCounter(
            "lemma_loop_idle_seconds_total",
            help: "Time in which an event loop had nothing to do",
            labels: ["loop": String(index)],
            read,
        )
    }
}
