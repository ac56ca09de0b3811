package import Application
package import Domain
package import HTTPClient

/// The wire format of a family of providers: the request, and the meaning of the events.
///
/// Everything else is the same for all of them and done by ``RemoteClient``.
package protocol ProviderDialect: Sendable {
    var identity: ProviderIdentity { get }
    /// How long usage and formalities may take after a reason that came behind the whole text.
    var closingLimit: Duration { get }
    /// True where `[DONE]` ends a stream, so that an answer is whole with it even without a reason.
    var endsWithDone: Bool { get }
    /// The parts of `request` that a server may refuse, without those in `omitted`.
    func parts(for request: ProviderRequest, without omitted: Set<RequestPart>) -> Set<RequestPart>
    /// The HTTP request for an answer as a stream of server-sent events.
    func httpRequest(for request: ProviderRequest, without omitted: Set<RequestPart>) -> HTTPClientRequest
    /// Reads one event, or a body that came in place of a stream; what is not of this dialect is passed over.
    func read(_ json: JSONValue) -> ProviderChunk
}

extension ProviderDialect {
    package var closingLimit: Duration { .seconds(2) }
    package var endsWithDone: Bool { false }
    package func parts(for request: ProviderRequest, without omitted: Set<RequestPart>) -> Set<RequestPart> { [] }
}

/// Where a provider is reached.
package struct ProviderEndpoint: Sendable {
    /// Without a trailing slash.
    package let baseURL: String
    package let model: String
    /// Nil for servers that want none.
    package let apiKey: String?

    package init(baseURL: String, model: String, apiKey: String?) {
        self.baseURL = baseURL
        self.model = model
        self.apiKey = apiKey
    }
}

/// The content of one event of a provider's stream.
package struct ProviderChunk: Sendable, Equatable {
    /// Text of the model's thinking, before that of the answer.
    package var reasoning = ""
    package var answer = ""
    /// Set by the event that names why the answer ends.
    package var end: ProviderEnd?
    /// The usage up to this event, if it reports one.
    package var usage: TokenUsage?
    /// The answering model, reported beside the usage of a whole answer, if any: the requested name may be an alias.
    package var model: String?
    /// The provider reports that something went wrong.
    package var error: ReportedError?
    /// True for a document that is an answer by itself and needs no reason.
    package var isDocument = false

    package init() {}

    var hasText: Bool { !answer.isEmpty || !reasoning.isEmpty }

    /// A model's name as reported by a provider: 1 to 128 visible ASCII characters; anything else is ignored.
    static func told(model: JSONValue?) -> String? {
        guard let model = model?.string, (1...128).contains(model.utf8.count),
            model.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        return model
    }
}

/// The reason that a provider gives for the end of its answer.
package enum ProviderEnd: Sendable, Equatable {
    case finished(FinishReason)
    /// Not by itself: the answer is not whole.
    case brokenOff
}

/// An error as a provider reports it, without its text, which may repeat the problem or the key.
package struct ReportedError: Sendable, Hashable {
    /// The HTTP status that the error corresponds to, if it names one.
    package var status: Int?
    /// The provider's name for it, such as `context_length_exceeded`.
    package var code: String?
    /// True if the error is about the key or the account, regardless of the status.
    package var isAboutAccess = false
    /// The pause that the provider asks for, if the error names one.
    package var retryAfter: Duration?
    /// What of the request the error is about.
    package var refused = RefusedParts()
    /// The fault of the request's content, if the error names one as its cause.
    package var contentFault: ContentFault?

    package init(status: Int? = nil, code: String? = nil) {
        self.status = status
        self.code = code
    }
}

extension TokenUsage {
    /// More than any answer takes: a reported value beyond that, or below zero, is ignored.
    private static let believable = 0...1_000_000_000

    /// As reported by a provider; `outputTokens` includes the thinking.
    static func told(input: Int?, output: Int?, reasoning: Int?) -> TokenUsage? {
        guard let input, let output, believable.contains(input), believable.contains(output) else { return nil }
        let reasoning = reasoning.flatMap { believable.contains($0) ? $0 : nil }
        return TokenUsage(inputTokens: input, outputTokens: output, reasoningTokens: reasoning, isEstimated: false)
    }
}
