package import Domain
package import Telemetry

/// Why a worker did not run a job.
package enum JobRefusal: String, Sendable, CaseIterable {
    /// No release can read it: it becomes a dead letter.
    case malformed
    /// A later release wrote it: it waits for a worker of that release.
    case laterVersion = "later_version"
}

/// Jobs and attempts of this worker.
package struct WorkMetrics: Sendable {
    /// Running jobs, and their limit.
    package let active: Gauge
    package let slots: Gauge
    /// Silence after which another worker takes a job over.
    package let leaseSeconds: Gauge
    package let renewalFailures: Counter
    package let refused: Counters<JobRefusal>
    package let deadLetters: Counters<DeadLetterReason>
    /// Dead letters that were deleted because there were more than the limit.
    package let deadLettersDropped: Counter
    package let started: Counters<AttemptCause>
    package let ended: Counters<AttemptResult>
    /// From submission to the first claim.
    package let queueWaitSeconds: Histogram
    /// From the start of an attempt to its first token.
    package let firstTokenSeconds: Histogram
    /// From the start of an attempt to its end.
    package let attemptSeconds: Histogram
    /// Provider tokens in one append: those that arrived while the previous append was in flight.
    package let appendTokens: Histogram

    init(_ registry: MetricsRegistry) {
        active = registry.gauge("lemma_jobs_active", help: "Running jobs")
        slots = registry.gauge("lemma_worker_slots", help: "Limit of running jobs")
        leaseSeconds = registry.gauge(
            "lemma_worker_lease_seconds",
            help: "Silence after which another worker takes a job over"
        )
        renewalFailures = registry.counter(
            "lemma_worker_lease_renewal_failures_total",
            help: "Failed renewals of leases",
        )
        refused = registry.counters(
            "lemma_jobs_refused_total",
            help:
                "Job entries that this release does not run, by reason; an entry of a later release with each delivery",
            by: "reason",
        )
        deadLetters = registry.counters("lemma_dead_letters_total", help: "Jobs dead-lettered, by reason", by: "reason")
        deadLettersDropped = registry.counter(
            "lemma_dead_letters_dropped_total",
            help: "Dead letters deleted, the oldest first, because there were more than DEAD_LETTERS_MAX",
        )
        started = registry.counters(
            "lemma_attempts_started_total",
            help: "Attempts begun, by cause; all but first are redeliveries",
            by: "reason",
        )
        ended = registry.counters("lemma_attempts_ended_total", help: "Attempts ended, by result", by: "result")
        queueWaitSeconds = registry.histogram("lemma_queue_wait_seconds", help: "Submission to first claim")
        firstTokenSeconds = registry.histogram("lemma_attempt_first_token_seconds", help: "Attempt to first token")
        attemptSeconds = registry.histogram("lemma_attempt_duration_seconds", help: "Attempts, start to end")
        appendTokens = registry.histogram(
            "lemma_append_tokens",
            help: "Provider tokens in one append",
            limits: [1, 2, 4, 8, 16, 32, 64, 128, 256],
        )
    }
}
