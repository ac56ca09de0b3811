package import Domain

/// What a provider is asked.
package struct Question: Sendable {
    package let problem: MathProblem
    package let options: SolveOptions
    /// What was asked and answered before in the same conversation.
    package let context: ConversationContext

    package init(problem: MathProblem, options: SolveOptions, context: ConversationContext = .empty) {
        self.problem = problem
        self.options = options
        self.context = context
    }
}

/// A provider's answer, after its text has gone to the sink.
package struct Solution: Sendable {
    package let provider: String
    package let model: String
    package let finishReason: FinishReason
    package let usage: TokenUsage

    package init(provider: String, model: String, finishReason: FinishReason, usage: TokenUsage) {
        self.provider = provider
        self.model = model
        self.finishReason = finishReason
        self.usage = usage
    }
}

/// Solves problems with the providers it has, in its order of preference.
package protocol MathSolver {
    /// The names a client may ask for.
    var providerNames: [String] { get }
    /// The provider that `solve` would begin with.
    func firstChoice(requested: String?) -> ProviderIdentity
    /// Streams an answer into `sink`. Falls back to the next provider only while nothing has reached the sink.
    /// Cancelling the task closes the provider's connection at once.
    func solve(
        _ question: Question,
        requested: String?,
        into sink: any AnswerSink
    ) async throws(AIFailure) -> Solution
}

package struct ProviderIdentity: Sendable, Hashable {
    package let name: String
    package let model: String

    package init(name: String, model: String) {
        self.name = name
        self.model = model
    }
}

/// One AI provider.
package protocol AIStreamingClient {
    var identity: ProviderIdentity { get }
    /// Streams an answer into `sink` and returns when it is whole. Cancelling the task closes the connection at once.
    func stream(_ question: Question, into sink: any AnswerSink) async throws(AIFailure) -> Solution
}

/// Where a provider's text goes, as it comes.
package protocol AnswerSink: AnyObject {
    /// Takes one provider token; never waits, never splits a character.
    func receive(_ kind: AnswerText, _ text: String)
    /// To be awaited now and then by a fast provider: returns when there is room again.
    func waitForRoom() async throws(AIFailure)
}

package enum AIFailure: Error, Equatable {
    /// The task was cancelled.
    case cancelled
    /// The provider refused, broke off or spoke nonsense; another one or another attempt may do better.
    case failed(detail: String)
    /// The provider was silent for too long.
    case timedOut(detail: String)
    /// The provider judged the request itself wrong: no other attempt helps.
    case rejected(detail: String)
}
