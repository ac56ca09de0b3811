package import Domain
package import Shared

/// A job as the queue hands it to a worker.
package struct JobDelivery: Sendable, Hashable {
    /// The queue's own name for the entry.
    package let entry: String
    package let correlationID: CorrelationID
    /// The provider the client asked for, told with the job so that a claim can name the provider at once.
    package let requestedProvider: String?

    package init(entry: String, correlationID: CorrelationID, requestedProvider: String?) {
        self.entry = entry
        self.correlationID = correlationID
        self.requestedProvider = requestedProvider
    }
}

/// A claimed job: this worker alone may write attempt `attempt` of it.
package struct JobClaim: Sendable {
    package let delivery: JobDelivery
    package let request: MathRequest
    /// 1 for the first.
    package let attempt: UInt64
    package let cause: AttemptCause
    /// Milliseconds from submission to the first claim, by the store's clock.
    package let queueMilliseconds: Int
    /// Milliseconds from submission to this claim, by the store's clock.
    package let ageMilliseconds: Int
    /// Why the attempt before failed, where it did.
    package let lastFailure: RequestFailure?
    /// What there is of the answer, of a request that gets no further attempt.
    package let answer: String
    /// True for the first request of its conversation.
    package let opensConversation: Bool
    /// What was planned for the record of this attempt, and where the attempt before was recorded.
    package let trace: TraceCarrier?
    package let earlierTrace: TraceCarrier?

    package init(
        delivery: JobDelivery,
        request: MathRequest,
        attempt: UInt64,
        cause: AttemptCause,
        queueMilliseconds: Int,
        ageMilliseconds: Int,
        lastFailure: RequestFailure? = nil,
        answer: String = "",
        opensConversation: Bool = false,
        trace: TraceCarrier? = nil,
        earlierTrace: TraceCarrier? = nil
    ) {
        self.delivery = delivery
        self.request = request
        self.attempt = attempt
        self.cause = cause
        self.queueMilliseconds = queueMilliseconds
        self.ageMilliseconds = ageMilliseconds
        self.lastFailure = lastFailure
        self.answer = answer
        self.opensConversation = opensConversation
        self.trace = trace
        self.earlierTrace = earlierTrace
    }

    /// The same job one attempt later, for the end of a request that gets no further attempt.
    package func next(after failure: RequestFailure, answer: String) -> JobClaim {
        JobClaim(
            delivery: delivery,
            request: request,
            attempt: attempt + 1,
            cause: cause,
            queueMilliseconds: queueMilliseconds,
            ageMilliseconds: ageMilliseconds,
            lastFailure: failure,
            answer: answer,
            opensConversation: opensConversation,
            trace: trace,
            earlierTrace: earlierTrace,
        )
    }
}

/// What came of a claim.
package enum ClaimResult: Sendable {
    /// The marker of the attempt is written and every older attempt is fenced.
    case claimed(JobClaim)
    /// The request's attempts are used up; it must be given up, at the marker's place of this attempt.
    case exhausted(JobClaim)
    /// Someone wishes it cancelled; it must be ended so, after its last event.
    case cancelled(JobClaim, CancelReason)
    /// Nothing to do: over already, expired or owned by another worker. The queue has been told.
    case settled
}

/// Which provider an attempt begins with, and why there is a further attempt.
package struct AttemptPlan: Sendable {
    package let provider: String
    package let model: String
    /// Ignored for the first attempt.
    package let restartReason: RestartReason
    /// Where the attempt will be recorded, which is kept for the attempt after it; nil where none is.
    package let trace: TraceCarrier?

    package init(provider: String, model: String, restartReason: RestartReason, trace: TraceCarrier? = nil) {
        self.provider = provider
        self.model = model
        self.restartReason = restartReason
        self.trace = trace
    }
}

/// How a request ends, with everything its terminal event and record tell.
package struct FinishedAttempt: Sendable {
    package let claim: JobClaim
    package let outcome: AnswerOutcome
    /// The text of the answer, or what there is of it.
    package let answer: String
    /// Who answered, or would have, and what that took.
    package let account: ProviderAccount
    /// From the start of the attempt; nil where no token came.
    package let firstTokenMilliseconds: Int?
    /// From the start of the attempt.
    package let durationMilliseconds: Int

    package init(
        claim: JobClaim,
        outcome: AnswerOutcome,
        answer: String,
        account: ProviderAccount,
        firstTokenMilliseconds: Int?,
        durationMilliseconds: Int
    ) {
        self.claim = claim
        self.outcome = outcome
        self.answer = answer
        self.account = account
        self.firstTokenMilliseconds = firstTokenMilliseconds
        self.durationMilliseconds = durationMilliseconds
    }
}

/// Where in the stream a terminal event goes.
package enum FinishPlace: Sendable, Equatable {
    /// Exactly here; anything else there means that events were lost or another attempt has begun.
    case id(EventID)
    /// After whatever is the last event of this attempt.
    case afterLast
}

package enum PostponeResult: Sendable, Equatable {
    case postponed
    /// The request is over, or a newer attempt runs.
    case superseded
    /// Someone wishes it cancelled: end it so.
    case cancelled
    /// There is no further attempt: give it up.
    case exhausted
}

package enum FinishResult: Sendable, Equatable {
    /// This call ended the request.
    case finished
    /// Someone else had ended it, or a newer attempt runs.
    case superseded
    /// The stream is shorter than this attempt wrote: nothing was ended, begin a new attempt.
    case historyLost
}

/// What the owner of jobs learns when it renews their leases.
package struct LeaseReport: Sendable {
    /// Jobs that belong to someone else by now: stop working on them.
    package var lost: [JobDelivery] = []
    /// Jobs whose cancellation is wished.
    package var cancelled: [(JobDelivery, CancelReason)] = []

    package init() {}
}

/// The worker's side of the queue.
///
/// Delivery: at least once. Whoever receives a job must claim it before it writes, and end it with `finish`; a worker
/// that dies in between loses its lease, and the job is delivered to another one.
package protocol MessageConsumer {
    /// Waits for up to `count` new jobs, at least one, for `limit` at most (above zero) and a time of its own; an empty
    /// answer is normal.
    func receive(upTo count: Int, within limit: Duration) async throws(QueueFailure) -> [JobDelivery]
    /// Lets a `receive` that waits return at once, with what it may have been given already.
    ///
    /// Only for speed: without it the wait ends by itself.
    func stopWaiting()
    /// Takes over up to `count` jobs whose worker has been silent for longer than the lease.
    func takeOver(upTo count: Int) async throws(QueueFailure) -> [JobDelivery]
    /// Begins the next attempt of a job. Safe to call again after an error: it may cost an attempt number.
    func claim(_ delivery: JobDelivery, _ plan: AttemptPlan) async throws(QueueFailure) -> ClaimResult
    /// Writes the one terminal event, the status and the acknowledgement together. Safe to call again after an error.
    /// With `letter` the request also becomes a dead letter, which an operator can look at and send again.
    func finish(
        _ attempt: FinishedAttempt,
        at place: FinishPlace,
        letter: DeadLetterReason?
    ) async throws(QueueFailure) -> FinishResult
    /// Ends a job that the store cannot go on with: its request fails, as far as it can be written, and becomes a dead
    /// letter with `detail`. Idempotent.
    func discard(_ delivery: JobDelivery, detail: String) async throws(QueueFailure)
    /// Lets a failed attempt's request wait for its next one outside of any worker. Safe to call again after an error.
    /// With the reason `handedOver` the attempt does not count towards the limit.
    /// `answer` is the attempt's text, for the case that there is no next one.
    func postpone(
        _ claim: JobClaim,
        for pause: Duration,
        _ reason: RestartReason,
        _ failure: RequestFailure,
        answer: String
    ) async throws(QueueFailure) -> PostponeResult
    /// Makes jobs of up to `count` postponed requests whose pause is over; gives how many.
    func promote(upTo count: Int) async throws(QueueFailure) -> Int
    /// Extends the leases of the jobs this worker owns.
    func renew(_ deliveries: [JobDelivery]) async throws(QueueFailure) -> LeaseReport
    /// Gives jobs back for immediate take-over, as a draining worker does.
    func handBack(_ deliveries: [JobDelivery]) async throws(QueueFailure)
}

extension MessageConsumer {
    /// Ends a request that is not given up.
    package func finish(
        _ attempt: FinishedAttempt,
        at place: FinishPlace
    ) async throws(QueueFailure) -> FinishResult {
        try await finish(attempt, at: place, letter: nil)
    }
}

package enum QueueFailure: Error, Equatable {
    /// The store is away or refuses for now; try again after a pause.
    case unavailable
    /// The store refuses this call for good: repeating it does not help. The detail is for operators.
    case refused(detail: String)
    /// The waiting task was cancelled.
    case cancelled
}
