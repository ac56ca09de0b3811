package import Domain
package import Shared

/// What a provider is asked.
package struct ProviderRequest: Sendable {
    package let problem: MathProblem
    package var options: SolveOptions
    /// What was asked and answered before in the same conversation.
    package let context: ConversationContext
    /// What it is asked for; nil outside of a worker.
    package let attempt: AttemptName?

    package init(
        problem: MathProblem,
        options: SolveOptions,
        context: ConversationContext = .empty,
        attempt: AttemptName? = nil
    ) {
        self.problem = problem
        self.options = options
        self.context = context
        self.attempt = attempt
    }
}

/// Names an attempt of a request, for logs and for the provider's own.
package struct AttemptName: Sendable, Hashable {
    package let correlationID: CorrelationID
    /// 1 for the first.
    package let number: UInt64
    /// What the provider's calls continue.
    package let trace: TraceCarrier?

    package init(correlationID: CorrelationID, number: UInt64, trace: TraceCarrier? = nil) {
        self.correlationID = correlationID
        self.number = number
        self.trace = trace
    }
}

/// How an answer ended, after its text has gone to the sink.
package struct Solution: Sendable {
    package let finishReason: FinishReason
    /// Who answered, and what that took.
    package let account: ProviderAccount

    package init(finishReason: FinishReason, account: ProviderAccount) {
        self.finishReason = finishReason
        self.account = account
    }
}

/// Solves problems with the providers it has, in its order of preference.
package protocol MathSolver {
    /// The names a client may ask for.
    var providerNames: [String] { get }
    /// The provider that `solve` would begin with.
    func firstChoice(requested: String?) -> ProviderIdentity
    /// Streams an answer into `sink`. Falls back to the next provider only while nothing has reached the sink. Without
    /// an answer, the sink has been told by then what its provider used up to that moment.
    /// Cancelling the task closes the provider's connection at once.
    func solve(
        _ question: ProviderRequest,
        requested: String?,
        into sink: any AnswerSink
    ) async throws(AIFailure) -> Solution
}

package enum AIFailure: Error, Equatable {
    /// The task was cancelled.
    case cancelled
    /// The provider refused, broke off or spoke nonsense; another one or another attempt may do better.
    case failed(detail: String)
    /// The provider was silent for too long.
    case timedOut(detail: String)
    /// The provider has too much to do, and another attempt is welcome after a pause.
    case overloaded(detail: String, retryAfter: Duration)
    /// We have as many calls with the provider as we may have: nobody was asked, and nobody failed.
    case noRoom(detail: String, retryAfter: Duration)
    /// The provider judged the request itself wrong: no other attempt helps.
    case rejected(detail: String)
}
