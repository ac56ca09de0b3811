package import Telemetry

/// A condition of readiness.
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
    /// As of the last probe or scrape.
    package let ready: Gauge
    package let checks: Gauges<ReadinessCheck>
    /// Delay of due timers.
    package let loopLagSeconds: Histogram
    /// Pauses of a listener because no file descriptor was left.
    package let acceptPauses: Counter
    private let registry: MetricsRegistry

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        ready = registry.gauge(
            "lemma_ready",
            help: "1 while the replica is ready, as of the last probe or scrape"
        )
        checks = registry.gauges(
            "lemma_ready_check",
            help: "1 for each readiness check that passes",
            by: "check"
        )
        acceptPauses = registry.counter(
            "lemma_accept_pauses_total",
            help: "Pauses in accepting connections because the process or the system had no file descriptors left"
        )
        loopLagSeconds = registry.histogram(
            "lemma_loop_lag_seconds",
            help: "Delay of the event loops' timers, measured twice a second",
        )
    }

    /// Log lines that could not be written, read with each scrape; called once.
    package func observeLostLogLines(_ count: @escaping @Sendable () -> Int) {
        registry.observeCounter(
            "lemma_log_lines_lost_total",
            help: "Log lines not written: the pipe was full or its reader gone, or the disk was full",
        ) { Double(count()) }
    }

    /// Audit records that could not be written, read with each scrape; called once.
    package func observeLostAuditRecords(_ count: @escaping @Sendable () -> Int) {
        registry.observeCounter(
            "lemma_audit_records_lost_total",
            help: "Audit records not written: the pipe was full or its reader gone, or the disk was full",
        ) { Double(count()) }
    }

    /// The idle time of a loop, read with each scrape; called once for each loop.
    package func observeIdleTime(ofLoop index: Int, _ read: @escaping @Sendable () -> Double?) {
        registry.observeCounter(
            "lemma_loop_idle_seconds_total",
            help: "Idle time of an event loop",
            labels: ["loop": String(index)],
            read,
        )
    }
}
