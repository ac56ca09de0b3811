/// The cause of an attempt.
package enum AttemptCause: String, Sendable, CaseIterable {
    /// The first of its request.
    case first
    /// The first of a request that an operator redrove from a dead letter.
    case redriven
    case workerLost = "worker_lost"
    case handedOver = "handed_over"
    case providerFailed = "provider_failed"
    case historyLost = "history_lost"
}

/// The result of an attempt for the worker that began it.
package enum AttemptResult: String, Sendable, CaseIterable {
    case completed
    case failed
    case cancelled
    /// The next attempt follows after a pause, on any worker.
    case retryScheduled = "postponed"
    /// This worker drains; another one continues.
    case handedOver = "handed_over"
    /// The store rejected its text, because a newer attempt has begun.
    case fenced
    /// The lease could not be renewed in time, or another worker owns it.
    case leaseLost = "lease_lost"
    /// Another worker had ended the request or begun a newer attempt.
    case superseded
    /// The store lost events of the attempt; the next one follows at once.
    case historyLost = "history_lost"
    /// The request expired during the attempt.
    case expired
    /// The worker stopped.
    case stopped
}
