package import Domain

/// One AI provider.
package protocol AIStreamingClient {
    var identity: ProviderIdentity { get }
    /// Streams an answer into `sink` and returns its finish reason when it is complete. Usage goes to the sink as soon as the
    /// provider reports it, so that it counts also where the answer breaks off. Cancelling the task closes the connection
    /// at once.
    func stream(_ request: ProviderRequest, into sink: any AnswerSink) async throws(ProviderFailure) -> FinishReason
}

/// A provider, by the names in requests and records.
package struct ProviderIdentity: Sendable, Hashable {
    package let name: String
    package let model: String
    /// The version of the system prompt; nil for a provider that takes none.
    package let promptVersion: String?

    package init(name: String, model: String, promptVersion: String? = nil) {
        self.name = name
        self.model = model
        self.promptVersion = promptVersion
    }
}

/// The usage of one provider in one attempt.
package struct ProviderAccount: Sendable, Hashable {
    package let provider: ProviderIdentity
    package let usage: TokenUsage
    /// The provider's own name of the model that answered; nil where it reported none.
    package let answeringModel: String?

    package init(provider: ProviderIdentity, usage: TokenUsage, answeringModel: String? = nil) {
        self.provider = provider
        self.usage = usage
        self.answeringModel = answeringModel
    }
}

/// Receives a provider's text as it arrives.
package protocol AnswerSink: AnyObject {
    /// Receives one provider token; never waits. A character is never split between two calls.
    func receive(_ kind: AnswerText, _ text: String)
    /// Receives the usage so far; replaces the last report.
    func take(_ account: ProviderAccount)
    /// False while the provider should pause; text that it sends anyway is not lost.
    var hasRoom: Bool { get }
    /// Waits until there is room again; throws when the sink accepts no more text.
    func waitForRoom() async throws(CancellationError)
}

/// Why one call of one provider returned no complete answer.
///
/// The details are sentences for the client, without secrets, internal addresses and text of the problem.
package enum ProviderFailure: Error, Equatable {
    /// The task was cancelled.
    case cancelled
    /// The provider sent nothing within its limit.
    case timedOut(detail: String)
    /// It could not be reached, failed, broke off or sent an invalid response: a retry may succeed, not before
    /// `retryAfter`.
    case unavailable(detail: String, retryAfter: Duration? = nil)
    /// It is overloaded.
    case busy(detail: String, retryAfter: Duration? = nil)
    /// This process has reached its limit of calls: no call was made.
    case noRoom(detail: String, retryAfter: Duration)
    /// It rejects this client: the key, the model or a permission is missing. Only another provider helps.
    case refused(detail: String)
    /// It rejected the form of the request, which the client has adapted: the caller repeats the request at once, with
    /// `options`.
    case adapted(detail: String, options: SolveOptions)
    /// It rejected the request itself: no provider helps.
    case rejected(detail: String)
}
