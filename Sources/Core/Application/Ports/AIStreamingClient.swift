package import Domain

/// One AI provider.
package protocol AIStreamingClient {
    var identity: ProviderIdentity { get }
    /// Streams an answer into `sink` and returns why it ended when it is whole. What the provider tells of its usage goes
    /// to the sink at once, so that it counts also where the answer breaks off. Cancelling the task closes the
    /// connection at once.
    func stream(_ question: ProviderRequest, into sink: any AnswerSink) async throws(ProviderFailure) -> FinishReason
}

/// A provider as clients and records name it.
package struct ProviderIdentity: Sendable, Hashable {
    package let name: String
    package let model: String
    /// The version of the system prompt it is given; nil where it takes none.
    package let promptVersion: String?

    package init(name: String, model: String, promptVersion: String? = nil) {
        self.name = name
        self.model = model
        self.promptVersion = promptVersion
    }
}

/// What a provider used for one attempt.
package struct ProviderAccount: Sendable, Hashable {
    package let provider: ProviderIdentity
    package let usage: TokenUsage
    /// The provider's own name for the model that answered, where it told one.
    package let answeringModel: String?

    package init(provider: ProviderIdentity, usage: TokenUsage, answeringModel: String? = nil) {
        self.provider = provider
        self.usage = usage
        self.answeringModel = answeringModel
    }
}

/// Where a provider's text goes, as it comes.
package protocol AnswerSink: AnyObject {
    /// Takes one provider token; never waits, never splits a character.
    func receive(_ kind: AnswerText, _ text: String)
    /// Takes what has been used so far; replaces what was told before.
    func take(_ account: ProviderAccount)
    /// False while the provider had better pause; nothing is lost where it does not.
    var hasRoom: Bool { get }
    /// To be awaited by a provider that finds no room: returns when there is room again, or throws when nothing is
    /// taken any more.
    func waitForRoom() async throws(CancellationError)
}

/// Why one call of one provider gave no whole answer.
///
/// The details are sentences for the client: they name no secret, no inner address and nothing of the question.
package enum ProviderFailure: Error, Equatable {
    /// The task was cancelled.
    case cancelled
    /// The provider was silent for too long.
    case timedOut(detail: String)
    /// It could not be reached, broke down, broke off or spoke nonsense: the same call may do better, though not before
    /// `retryAfter` where it says so.
    case unavailable(detail: String, retryAfter: Duration? = nil)
    /// It is well, but has too much to do.
    case busy(detail: String, retryAfter: Duration? = nil)
    /// We have as many calls with it as we may have: it was not asked.
    case noRoom(detail: String, retryAfter: Duration)
    /// It will not serve us, for want of the key, the model or the permission: only another provider helps.
    case refused(detail: String)
    /// It refused the form of the request, which the client has changed: the same question may be asked again at once,
    /// with `options` in place of its own.
    case adapted(detail: String, options: SolveOptions)
    /// It judged the request itself wrong: nobody helps.
    case rejected(detail: String)
}
