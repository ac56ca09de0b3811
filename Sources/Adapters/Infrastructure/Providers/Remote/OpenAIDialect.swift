package import Application
internal import Domain
internal import FoundationEssentials
package import HTTPClient
internal import Shared

/// Chat Completions, as OpenAI, vLLM, llama.cpp, Ollama and LiteLLM serve them.
package struct OpenAIDialect: ProviderDialect {
    /// Its newer models refuse the old name of the limit, and other servers do not know the new one.
    private static let ownHost = "https://api.openai.com/"

    private static let decoder = JSONDecoder()

    package let identity: ProviderIdentity
    private let endpoint: ProviderEndpoint

    package init(_ endpoint: ProviderEndpoint, name: String = "openai") {
        self.endpoint = endpoint
        identity = ProviderIdentity(name: name, model: endpoint.model, promptVersion: SystemPrompt.math.version)
    }

    package func request(for question: Question) -> HTTPClientRequest {
        var request = HTTPClientRequest("POST", "\(endpoint.baseURL)/chat/completions")
        if let key = endpoint.apiKey { request.headers.append(("Authorization", "Bearer \(key)")) }
        if let attempt = question.attempt {
            // Its own name for it, which its support can find.
            request.headers.append(("X-Client-Request-Id", "\(attempt.correlationID)-\(attempt.number)"))
        }
        let limitsNewly = endpoint.baseURL.hasPrefix(Self.ownHost)
        request.body = JSONWriter.object { json in
            json.member("model", endpoint.model)
            json.member("messages", array: messages(question)) { json, message in
                json.object { json in
                    json.member("role", message.role)
                    json.member("content", message.content)
                }
            }
            json.member("stream", true)
            json.member("stream_options", object: { $0.member("include_usage", true) })
            json.member("temperature", question.options.temperature)
            json.member(limitsNewly ? "max_completion_tokens" : "max_tokens", question.options.maxOutputTokens)
        }
        return request
    }

    private func messages(_ question: Question) -> [(role: String, content: String)] {
        [("system", SystemPrompt.math.text(for: question.context))]
            + question.turns.map { turn in
                switch turn.speaker {
                case .student: ("user", turn.text)
                case .teacher: ("assistant", turn.text)
                }
            }
    }

    package func read(_ json: String) throws -> ProviderChunk {
        var result = ProviderChunk()
        if json == "[DONE]" {
            result.isLast = true
            return result
        }
        let chunk = try Self.decoder.decode(Chunk.self, from: Data(json.utf8))
        result.error = chunk.error?.reported
        result.usage = chunk.usage?.tokens
        // Every chunk names it; it is read once.
        if result.usage != nil {
            let origin = try? Self.decoder.decode(Origin.self, from: Data(json.utf8))
            result.model = ProviderChunk.told(model: origin?.model)
        }
        guard let choice = chunk.choices?.first else { return result }
        if let text = choice.delta ?? choice.message {
            result.answer = (text.content ?? "") + (text.refusal ?? "")
            result.reasoning = text.reasoningContent ?? text.reasoning ?? ""
        }
        result.end = choice.finishReason.map(end)
        return result
    }

    /// What no tool was offered for and nobody knows yet counts as an ordinary end.
    private func end(_ reason: String) -> ProviderEnd {
        switch reason {
        case "length", "max_tokens": .finished(.length)
        case "content_filter": .finished(.contentFilter)
        case "error", "abort", "cancelled": .brokenOff
        default: .finished(.stop)
        }
    }
}

extension OpenAIDialect {
    private struct Chunk: Decodable {
        let choices: [Choice]?
        let usage: Usage?
        let error: ErrorReport?
    }

    private struct Origin: Decodable {
        let model: String?
    }

    private struct Choice: Decodable {
        let delta: Text?
        /// In place of the delta where a server does not stream.
        let message: Text?
        let finishReason: String?

        enum CodingKeys: String, CodingKey {
            case delta, message
            case finishReason = "finish_reason"
        }
    }

    private struct Text: Decodable {
        let content: String?
        let refusal: String?
        /// Both names are in use; servers that send both mean the same text.
        let reasoning: String?
        let reasoningContent: String?

        enum CodingKeys: String, CodingKey {
            case content, refusal, reasoning
            case reasoningContent = "reasoning_content"
        }
    }

    private struct Usage: Decodable {
        let promptTokens: Int?
        let completionTokens: Int?
        let details: Details?

        enum CodingKeys: String, CodingKey {
            case promptTokens = "prompt_tokens"
            case completionTokens = "completion_tokens"
            case details = "completion_tokens_details"
        }

        struct Details: Decodable {
            let reasoningTokens: Int?

            enum CodingKeys: String, CodingKey {
                case reasoningTokens = "reasoning_tokens"
            }
        }

        var tokens: TokenUsage? {
            guard let promptTokens, let completionTokens else { return nil }
            return .told(input: promptTokens, output: completionTokens, reasoning: details?.reasoningTokens)
        }
    }
}
