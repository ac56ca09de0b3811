package import Telemetry

/// Every metric of Lemma's own: the one place that names them.
///
/// Units and names follow Prometheus' rules: base units, `_total` for counters, labels from closed sets. The handles are
/// taken once; observing is an atomic addition.
package struct LemmaMetrics: Sendable {
    package let registry: MetricsRegistry

    /// Problems accepted.
    package let submitted: Counter
    /// Problems refused at submission, by reason.
    package let refusedQueueFull: Counter
    package let refusedUnavailable: Counter
    /// Requests ended by this worker, by status.
    package let completed: Counter
    package let failed: Counter
    package let cancelled: Counter
    /// From submission to the first claim.
    package let queueSeconds: Histogram
    /// From the start of an attempt to its first token.
    package let firstTokenSeconds: Histogram
    /// From the start of the last attempt to its end.
    package let attemptSeconds: Histogram
    /// Attempts given up because another worker has the job.
    package let fenced: Counter
    /// Jobs taken over from silent workers.
    package let takenOver: Counter
    /// Jobs being worked on.
    package let jobsActive: Gauge

    /// Records of requests that the archive has kept, and those it refuses for good.
    package let recordsKept: Counter
    package let recordsRefused: Counter
    /// Times the archive could not be reached or refused for the moment.
    package let archiveFailures: Counter
    /// Records that wait to be kept, of all replicas, and the age of the oldest.
    package let recordsWaiting: Gauge
    package let recordsAgeSeconds: Gauge

    /// Streams open to clients.
    package let streamsActive: Gauge
    /// Streams opened, and those of them that continue from an event id.
    package let streamsOpened: Counter
    package let streamsResumed: Counter
    /// Times a client was too slow and its stream went back to reading from the store.
    package let streamsStalled: Counter
    /// Events written to clients.
    package let eventsDelivered: Counter

    /// Redis commands.
    package let redisSeconds: Histogram
    package let redisFailures: Counter
    package let redisReconnects: Counter
    package let redisTimeouts: Counter

    /// PostgreSQL: batches of statements, waits for a connection, connections.
    package let postgresSeconds: Histogram
    package let postgresFailures: Counter
    package let postgresTimeouts: Counter
    package let postgresWaitSeconds: Histogram
    package let postgresConnections: Gauge
    package let postgresLost: Counter
    package let postgresUnreachable: Counter

    package let httpConnections: Gauge
    package let httpMalformed: Counter
    package let httpSeconds: Histogram

    package init(_ registry: MetricsRegistry) {
        self.registry = registry
        submitted = registry.counter("lemma_requests_submitted_total", help: "Problems accepted")
        let refused = "lemma_requests_refused_total"
        let refusedHelp = "Problems refused at submission, by reason"
        refusedQueueFull = registry.counter(refused, help: refusedHelp, labels: ["reason": "queue_full"])
        refusedUnavailable = registry.counter(refused, help: refusedHelp, labels: ["reason": "unavailable"])
        let finished = "lemma_requests_finished_total"
        let finishedHelp = "Requests ended, by status"
        completed = registry.counter(finished, help: finishedHelp, labels: ["status": "completed"])
        failed = registry.counter(finished, help: finishedHelp, labels: ["status": "failed"])
        cancelled = registry.counter(finished, help: finishedHelp, labels: ["status": "cancelled"])
        queueSeconds = registry.histogram("lemma_queue_wait_seconds", help: "Submission to first claim")
        firstTokenSeconds = registry.histogram("lemma_attempt_first_token_seconds", help: "Attempt to first token")
        attemptSeconds = registry.histogram("lemma_attempt_duration_seconds", help: "Start to end of last attempts")
        fenced = registry.counter("lemma_attempts_fenced_total", help: "Attempts lost to another worker")
        takenOver = registry.counter("lemma_jobs_taken_over_total", help: "Jobs taken over from silent workers")
        jobsActive = registry.gauge("lemma_jobs_active", help: "Jobs being worked on")

        recordsKept = registry.counter("lemma_persister_records_kept_total", help: "Records written to PostgreSQL")
        recordsRefused = registry.counter("lemma_persister_records_refused_total", help: "Records put aside for good")
        archiveFailures = registry.counter(
            "lemma_persister_failures_total",
            help: "Writes that PostgreSQL did not take"
        )
        recordsWaiting = registry.gauge("lemma_persister_backlog_records", help: "Records waiting for PostgreSQL")
        recordsAgeSeconds = registry.gauge("lemma_persister_backlog_age_seconds", help: "Age of the oldest of them")

        streamsActive = registry.gauge("lemma_streams_active", help: "Streams open to clients")
        streamsOpened = registry.counter("lemma_streams_opened_total", help: "Streams opened")
        streamsResumed = registry.counter("lemma_streams_resumed_total", help: "Streams continued from an event id")
        streamsStalled = registry.counter("lemma_streams_stalled_total", help: "Times a client was too slow")
        eventsDelivered = registry.counter("lemma_events_delivered_total", help: "Events written to clients")

        redisSeconds = registry.histogram(
            "lemma_redis_command_duration_seconds",
            help: "Redis commands, sent to answered"
        )
        redisFailures = registry.counter("lemma_redis_command_failures_total", help: "Redis commands without success")
        redisReconnects = registry.counter("lemma_redis_reconnects_total", help: "Connections made again")
        redisTimeouts = registry.counter("lemma_redis_timeouts_total", help: "Connections given up as silent")

        postgresSeconds = registry.histogram(
            "lemma_postgres_batch_duration_seconds",
            help: "Batches of statements, sent to answered"
        )
        postgresFailures = registry.counter("lemma_postgres_batch_failures_total", help: "Batches without success")
        postgresTimeouts = registry.counter("lemma_postgres_timeouts_total", help: "Batches given up at their deadline")
        postgresWaitSeconds = registry.histogram("lemma_postgres_wait_seconds", help: "Waits for a connection")
        postgresConnections = registry.gauge("lemma_postgres_connections", help: "Connections open")
        postgresLost = registry.counter("lemma_postgres_connections_lost_total", help: "Connections that broke")
        postgresUnreachable = registry.counter(
            "lemma_postgres_connection_failures_total",
            help: "Connections that did not come about"
        )

        httpConnections = registry.gauge("lemma_http_connections", help: "Connections open")
        httpMalformed = registry.counter("lemma_http_malformed_requests_total", help: "Requests that were none")
        httpSeconds = registry.histogram("lemma_http_request_duration_seconds", help: "Requests, last byte to answer")
    }

    /// What calls of one of the configured providers are measured by; taken once for each.
    package func provider(_ name: String) -> ProviderMetrics { ProviderMetrics(registry, name) }

    /// A provider's breaker, read at each scrape: 0 closed, 1 half-open, 2 open.
    package func observeBreaker(of provider: String, _ read: @escaping @Sendable () -> Double?) {
        registry.observeGauge(
            "lemma_provider_breaker_state",
            help: "State of the breaker: 0 closed, 1 half-open, 2 open",
            labels: ["provider": provider],
            read,
        )
    }

    /// Responses by route pattern and status; taken once for each combination.
    package func responses(route: String, status: Int) -> Counter {
        registry.counter(
            "lemma_http_responses_total",
            help: "Responses, by route and status",
            labels: ["route": route, "status": String(status)],
        )
    }
}

/// How a call of a provider ended.
package enum ProviderOutcome: String, Sendable, CaseIterable {
    case completed
    case timedOut = "timed_out"
    case failed
    case busy
    case refused
    case rejected
    case cancelled
    /// Another provider answered first.
    case outrun
    /// Not made: the breaker is open, or too many are under way.
    case turnedAway = "turned_away"
}

/// The calls of one provider.
package struct ProviderMetrics: Sendable {
    private let outcomes: [ProviderOutcome: Counter]
    package let retries: Counter
    /// Calls begun because another provider was late.
    package let hedges: Counter
    package let active: Gauge
    /// From the start of a call to its first token.
    package let firstTokenSeconds: Histogram
    /// Tokens of all calls, by kind; those of the thinking are among the output tokens too.
    package let inputTokens: Counter
    package let outputTokens: Counter
    package let reasoningTokens: Counter

    init(_ registry: MetricsRegistry, _ name: String) {
        outcomes = Dictionary(
            uniqueKeysWithValues: ProviderOutcome.allCases.map { outcome in
                let labels: MetricsRegistry.Labels = ["provider": name, "outcome": outcome.rawValue]
                let help = "Calls of providers, by how they ended"
                return (outcome, registry.counter("lemma_provider_calls_total", help: help, labels: labels))
            }
        )
        let provider: MetricsRegistry.Labels = ["provider": name]
        retries = registry.counter("lemma_provider_retries_total", help: "Calls made again", labels: provider)
        hedges = registry.counter(
            "lemma_provider_hedges_total",
            help: "Calls begun because another provider was late",
            labels: provider,
        )
        active = registry.gauge("lemma_provider_calls_active", help: "Calls under way", labels: provider)
        firstTokenSeconds = registry.histogram(
            "lemma_provider_first_token_seconds",
            help: "Start of a call to its first token",
            labels: provider,
        )
        func tokens(_ kind: String) -> Counter {
            registry.counter(
                "lemma_provider_tokens_total",
                help: "Tokens of all calls, told or estimated; reasoning is part of output",
                labels: ["provider": name, "kind": kind],
            )
        }
        inputTokens = tokens("input")
        outputTokens = tokens("output")
        reasoningTokens = tokens("reasoning")
    }

    package func calls(_ outcome: ProviderOutcome) -> Counter {
        guard let counter = outcomes[outcome] else { preconditionFailure("an outcome has no counter") }
        return counter
    }
}
