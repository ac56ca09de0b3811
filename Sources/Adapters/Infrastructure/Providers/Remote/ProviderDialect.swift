package import Application
package import Domain
package import HTTPClient

/// How one kind of provider is spoken to: the request, and what its events mean.
///
/// Everything else is the same for all of them and done by ``RemoteClient``.
package protocol ProviderDialect: Sendable {
    var identity: ProviderIdentity { get }
    /// The request for an answer as a stream of server-sent events.
    func request(for question: Question) -> HTTPClientRequest
    /// Reads one event's data, or a body that came in place of a stream; throws what is no JSON of this dialect.
    func read(_ json: String) throws -> ProviderChunk
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

/// What one event of a provider's stream says.
package struct ProviderChunk: Sendable, Equatable {
    /// Text of the model's thinking, before that of the answer.
    package var reasoning = ""
    package var answer = ""
    /// Set by the event that tells why the answer ends.
    package var end: ProviderEnd?
    /// What has been used up to this event, where it tells.
    package var usage: TokenUsage?
    /// The model that answers, beside the usage of a whole answer, where it tells: what was asked for may be an alias.
    package var model: String?
    /// The provider reports that something went wrong.
    package var error: ReportedError?
    /// Nothing follows.
    package var isLast = false

    package init() {}

    /// A model's name as a provider tells it: 1 to 128 visible characters of ASCII; anything else is not believed.
    static func told(model: String?) -> String? {
        guard let model, (1...128).contains(model.utf8.count), model.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        return model
    }
}

/// Why a provider says that its answer ends.
package enum ProviderEnd: Sendable, Equatable {
    case finished(FinishReason)
    /// Not by itself: the answer is not whole.
    case brokenOff
}

/// An error as a provider reports it, without the words, which may repeat the question or the key.
package struct ReportedError: Sendable, Hashable {
    /// The HTTP status that the error stands for, where it names one.
    package var status: Int?
    /// The provider's name for it, such as `context_length_exceeded`.
    package var code: String?
    /// True for what is about the key or the account, whatever the status says.
    package var isAboutAccess = false

    package init(status: Int? = nil, code: String? = nil) {
        self.status = status
        self.code = code
    }
}

extension TokenUsage {
    /// More than any answer takes: what a provider tells beyond that, or below zero, is not believed.
    private static let believable = 0...1_000_000_000

    /// As a provider tells it; `outputTokens` with those of the thinking.
    static func told(input: Int, output: Int, reasoning: Int?) -> TokenUsage? {
        let numbers = [input, output, reasoning ?? 0]
        guard numbers.allSatisfy({ believable.contains($0) }) else { return nil }
        return TokenUsage(inputTokens: input, outputTokens: output, reasoningTokens: reasoning, isEstimated: false)
    }
}
