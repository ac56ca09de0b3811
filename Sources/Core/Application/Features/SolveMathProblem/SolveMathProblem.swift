package import Domain
package import Shared

/// Accepts a problem: validates it, gives it its ids and hands it to the workers.
///
/// When this returns, the request has a record, a `queued` event and a job; when it throws, the client was told so.
package struct SolveMathProblem: Command {
    package let userID: UserID
    package let input: SolveInput
    /// The client's own name for this submission: repeating it gives the same request and no second job.
    package let idempotencyKey: String?
    /// The span that submits it.
    package let trace: TraceCarrier?

    package init(userID: UserID, input: SolveInput, idempotencyKey: String? = nil, trace: TraceCarrier? = nil) {
        self.userID = userID
        self.input = input
        self.idempotencyKey = idempotencyKey
        self.trace = trace
    }

    /// What the client is told.
    package struct Output: Sendable {
        package let correlationID: CorrelationID
        package let conversationID: ConversationID
        package let createdAt: Timestamp
        /// The new request; nil where an earlier submission under the same key is answered again.
        package let accepted: AcceptedRequest?
        package var isReplay: Bool { accepted == nil }
    }

    package enum Failure: Error, Equatable {
        case invalid(ValidationFailure)
        /// The conversation does not exist or is another user's.
        case conversationNotFound
        /// The conversation has a request that is not over, and the new one was not to wait for it.
        case conversationBusy
        case queueFull
        /// As many problems wait in the conversation as may.
        case conversationCrowded(limit: Int)
        /// Too many answers wait to be saved.
        case archiveBehind
        /// The idempotency key was used for another problem.
        case idempotencyKeyReused
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
