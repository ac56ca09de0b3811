package import Domain
package import Shared

/// Accepts a problem: validates it, generates its ids, charges it to the submitter's limits and enqueues its job.
///
/// A repetition under the same idempotency key is never refused by a limit, and not charged again but for its place in the
/// rate. After success the request has a record, a `queued` event and a job. After a failure nothing was accepted, but for
/// ``Failure/unavailable``.
package struct SolveMathProblem: Command {
    package let submitter: Submitter
    package let input: SolveInput
    /// The client's key for this submission: a repetition returns the same request and enqueues no second job.
    package let idempotencyKey: String?
    /// The span that submits it.
    package let trace: TraceCarrier?

    package init(submitter: Submitter, input: SolveInput, idempotencyKey: String? = nil, trace: TraceCarrier? = nil) {
        self.submitter = submitter
        self.input = input
        self.idempotencyKey = idempotencyKey
        self.trace = trace
    }

    package struct Output: Sendable {
        package let correlationID: CorrelationID
        package let conversationID: ConversationID
        package let createdAt: Timestamp
        /// The new request; nil where an earlier submission under the same key is answered again.
        package let accepted: AcceptedRequest?
        /// What is left of the submitter's rate; nil without a limit, and where the answer did not need one.
        package let rate: RateStanding?
        package var isReplay: Bool { accepted == nil }
    }

    package enum Failure: Error, Equatable {
        case invalid(ValidationFailure)
        /// The conversation does not exist or is another user's.
        case conversationNotFound
        /// The conversation has an open request, and the new one must not wait (`onBusy: reject`).
        case conversationBusy
        case queueFull
        /// A limit of the submitter is reached.
        case limited(LimitReached)
        /// The conversation's limit of waiting requests is reached.
        case conversationCrowded(limit: Int)
        /// Too many records wait for the archive.
        case archiveBehind
        /// The idempotency key was used for another problem.
        case idempotencyKeyReused
        /// The store did not answer; whether the job was enqueued is unknown, and the client retries.
        case unavailable
    }
}

/// A submission as the client wrote it: the types are right, the values are not validated yet.
package struct SolveInput: Sendable {
    package var problem: String?
    package var conversationID: ConversationID?
    package var provider: String?
    package var options: [SolveOption: SolveOption.Value]

    package init(
        problem: String?,
        conversationID: ConversationID? = nil,
        provider: String? = nil,
        options: [SolveOption: SolveOption.Value] = [:]
    ) {
        self.problem = problem
        self.conversationID = conversationID
        self.provider = provider
        self.options = options
    }
}
