/// Why there is an attempt.
package enum AttemptCause: String, Sendable, CaseIterable {
    /// The first of its request.
    case first
    /// The first of a request that an operator made of a dead letter.
    case redriven
    case workerLost = "worker_lost"
    case handedOver = "handed_over"
    case providerFailed = "provider_failed"
    case historyLost = "history_lost"
}

/// How an attempt ended for the worker that began it.
package enum AttemptResult: String, Sendable, CaseIterable {
    case completed
    case failed
    case cancelled
    /// The next one follows after a pause, of any worker.
    case postponed
    /// This worker drains; another one goes on.
    case handedOver = "handed_over"
    /// The store refused its text, because a newer attempt has begun.
    case fenced
    /// The lease could not be renewed in time, or was found to be another worker's.
    case leaseLost = "lease_lost"
    /// At its end another one had ended the request, or had begun a newer attempt.
    case superseded
    /// The store lost what the attempt had written; the next one follows at once.
    case historyLost = "history_lost"
    /// The request expired meanwhile.
    case expired
    /// The worker ended with it.
    case stopped
}
