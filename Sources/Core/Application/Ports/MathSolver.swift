package import Domain
package import Shared

/// A problem as it is sent to a provider.
package struct ProviderRequest: Sendable {
    package let problem: MathProblem
    package var options: SolveOptions
    /// The earlier turns of the conversation.
    package let context: ConversationContext
    /// The attempt; nil outside of a worker.
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

/// Identifies an attempt of a request, in logs and in the provider's logs.
package struct AttemptName: Sendable, Hashable {
    package let correlationID: CorrelationID
    /// Counted from 1.
    package let number: UInt64
    /// The parent of the provider's calls.
    package let trace: TraceCarrier?

    package init(correlationID: CorrelationID, number: UInt64, trace: TraceCarrier? = nil) {
        self.correlationID = correlationID
        self.number = number
        self.trace = trace
    }
}

/// The end of an answer; its text is in the sink.
package struct Solution: Sendable {
    package let finishReason: FinishReason
    /// The provider that answered, and its usage.
    package let account: ProviderAccount

    package init(finishReason: FinishReason, account: ProviderAccount) {
        self.finishReason = finishReason
        self.account = account
    }
}

/// Solves problems with the configured providers, in order of preference.
package protocol MathSolver {
    /// The names that a client may request.
    var providerNames: [String] { get }
    /// The provider that `solve` tries first.
    func firstChoice(requested: String?) -> ProviderIdentity
    /// Streams an answer into `sink`. Falls back to the next provider only before the first text. The sink gets the
    /// provider's usage also where the call throws. Cancelling the task closes the provider's connection at once.
    func solve(
        _ request: ProviderRequest,
        requested: String?,
        into sink: any AnswerSink
    ) async throws(AIFailure) -> Solution
}

package enum AIFailure: Error, Equatable {
    /// The task was cancelled.
    case cancelled
    /// The provider failed, broke off or sent an invalid response; another provider or attempt may succeed.
    case failed(detail: String)
    /// The provider sent nothing within its limit.
    case timedOut(detail: String)
    /// The provider is overloaded and asks for a pause.
    case overloaded(detail: String, retryAfter: Duration)
    /// This process has reached its limit of calls to the provider: no call was made, so the attempt does not count.
    case noRoom(detail: String, retryAfter: Duration)
    /// The provider rejected the request itself: no other attempt helps.
    case rejected(detail: String)
}
