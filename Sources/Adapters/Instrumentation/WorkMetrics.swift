package import Domain
package import Telemetry

/// Why a worker did not take a job.
package enum JobRefusal: String, Sendable, CaseIterable {
    /// No version of this program could run it: it becomes a dead letter.
    case malformed
    /// It was written by a later release, and waits for a worker of that.
    case laterVersion = "later_version"
}

/// Jobs and attempts of this worker.
package struct WorkMetrics: Sendable {
    /// Jobs being worked on, and how many there may be at once.
    package let active: Gauge
    package let slots: Gauge
    /// Silence after which other workers take a job over.
    package let leaseSeconds: Gauge
    package let renewalFailures: Counter
    package let refused: Counters<JobRefusal>
    package let deadLetters: Counters<DeadLetterReason>
    /// Dead letters that were dropped because there were more than may be kept.
    package let deadLettersDropped: Counter
    package let started: Counters<AttemptCause>
    package let ended: Counters<AttemptResult>
    /// From submission to the first claim.
    package let queueWaitSeconds: Histogram
    /// From the start of an attempt to its first token.
    package let firstTokenSeconds: Histogram
    /// From the start of an attempt to its end.
    package let attemptSeconds: Histogram
    /// The provider's tokens that are joined in one append, because they came while another append was under way.
    package let appendTokens: Histogram

    init(_ registry: MetricsRegistry) {
        active = registry.gauge("lemma_jobs_active", help: "Jobs being worked on")
        slots = registry.gauge("lemma_worker_slots", help: "Jobs that may be worked on at once")
        leaseSeconds = registry.gauge("lemma_worker_lease_seconds", help: "Silence after which a job is taken over")
        renewalFailures = registry.counter(
            "lemma_worker_lease_renewal_failures_total",
            help: "Renewals of leases that Redis did not answer",
        )
        refused = registry.counters(
            "lemma_jobs_refused_total",
            help: "Job entries that this release cannot run, by reason; one of a later version each time it is seen",
            by: "reason",
        )
        deadLetters = registry.counters("lemma_dead_letters_total", help: "Jobs given up, by reason", by: "reason")
        deadLettersDropped = registry.counter(
            "lemma_dead_letters_dropped_total",
            help: "Dead letters dropped, the oldest first, because there were more than DEAD_LETTERS_MAX",
        )
        started = registry.counters(
            "lemma_attempts_started_total",
            help: "Attempts begun, by why there is one; all but first are redeliveries",
            by: "reason",
        )
        ended = registry.counters("lemma_attempts_ended_total", help: "Attempts ended, by how", by: "result")
        queueWaitSeconds = registry.histogram("lemma_queue_wait_seconds", help: "Submission to first claim")
        firstTokenSeconds = registry.histogram("lemma_attempt_first_token_seconds", help: "Attempt to first token")
        attemptSeconds = registry.histogram("lemma_attempt_duration_seconds", help: "Attempts, start to end")
        appendTokens = registry.histogram(
            "lemma_append_tokens",
            help: "Tokens of the provider that one append writes",
            limits: [1, 2, 4, 8, 16, 32, 64, 128, 256],
        )
    }
}
