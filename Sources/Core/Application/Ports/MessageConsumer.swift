package import Domain

/// The worker's side of the job queue.
///
/// Delivery: at least once, in submission order per partition up to redelivery. A worker claims a delivered job before it
/// writes, and ends it with `finish`. The lease of a worker that dies in between expires, and the job is redelivered.
package protocol MessageConsumer {
    /// Waits for 1 to `count` new jobs, at most `limit` (above zero) or a shorter limit of its own; may return none.
    func receive(upTo count: Int, within limit: Duration) async throws(QueueFailure) -> [JobDelivery]
    /// Ends a waiting `receive` at once; it returns what was delivered to it already.
    ///
    /// Only for speed: the wait also ends by itself.
    func stopWaiting()
    /// Takes over up to `count` jobs whose worker has been silent for longer than the lease.
    func takeOver(upTo count: Int) async throws(QueueFailure) -> [JobDelivery]
    /// Begins the next attempt of a job. May be repeated after an error, which can use up an attempt number.
    func claim(_ delivery: JobDelivery, _ plan: AttemptPlan) async throws(QueueFailure) -> ClaimResult
    /// Writes the terminal event, the status and the acknowledgement together. May be repeated after an error.
    ///
    /// With `letter` the request also becomes a dead letter, which an operator can inspect and redrive.
    func finish(
        _ attempt: FinishedAttempt,
        at place: FinishPlace,
        letter: DeadLetterReason?
    ) async throws(QueueFailure) -> FinishResult
    /// Fails a job whose stored request cannot be processed, as far as that can be written, and dead-letters it with `detail`.
    /// Idempotent.
    func failUnreadable(_ delivery: JobDelivery, detail: String) async throws(QueueFailure)
    /// Schedules the next attempt of a request after `pause`; no worker owns the request meanwhile. May be repeated after an
    /// error.
    ///
    /// With the reason `handedOver` the attempt does not count towards the limit. `answer` is the attempt's text, for the
    /// case that no attempt follows.
    func scheduleRetry(
        _ claim: JobClaim,
        for pause: Duration,
        _ reason: RestartReason,
        _ failure: RequestFailure,
        answer: String
    ) async throws(QueueFailure) -> RetryResult
    /// Enqueues up to `count` scheduled retries that are due; returns their number.
    func enqueueDue(upTo count: Int) async throws(QueueFailure) -> Int
    /// Renews the leases of jobs that this worker owns.
    func renew(_ deliveries: [JobDelivery]) async throws(QueueFailure) -> LeaseReport
    /// Releases jobs of a draining worker for immediate take-over.
    func release(_ deliveries: [JobDelivery]) async throws(QueueFailure)
}

extension MessageConsumer {
    /// Ends a request that does not become a dead letter.
    package func finish(
        _ attempt: FinishedAttempt,
        at place: FinishPlace
    ) async throws(QueueFailure) -> FinishResult {
        try await finish(attempt, at: place, letter: nil)
    }
}

package enum RetryResult: Sendable, Equatable {
    case scheduled
    /// The request is over, or a newer attempt runs.
    case superseded
    /// Cancellation was requested: the caller cancels the request.
    case cancelled
    /// No attempt is left: the caller fails the request.
    case exhausted
}

package enum QueueFailure: Error, Equatable {
    /// The store cannot be reached or rejects calls for now; the caller retries after a pause.
    case unavailable
    /// The store rejects this call permanently; a retry does not help. The detail is for operators.
    case refused(detail: String)
    /// The waiting task was cancelled.
    case cancelled
}
