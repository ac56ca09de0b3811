package import Application
internal import Domain
internal import FoundationEssentials
package import HTTPClient
internal import Shared

/// Google's `streamGenerateContent`.
package struct GeminiDialect: ProviderDialect {
    private static let decoder = JSONDecoder()

    package let identity: ProviderIdentity
    private let endpoint: ProviderEndpoint

    package init(_ endpoint: ProviderEndpoint, name: String = "gemini") {
        self.endpoint = endpoint
        identity = ProviderIdentity(name: name, model: endpoint.model, promptVersion: SystemPrompt.math.version)
    }

    package func request(for question: Question) -> HTTPClientRequest {
        let model = endpoint.model.hasPrefix("models/") ? endpoint.model : "models/\(endpoint.model)"
        var request = HTTPClientRequest("POST", "\(endpoint.baseURL)/\(model):streamGenerateContent?alt=sse")
        // In a field and not in the URL, which proxies and servers log.
        if let key = endpoint.apiKey { request.headers.append(("x-goog-api-key", key)) }
        request.body = JSONWriter.object { json in
            json.member(
                "systemInstruction",
                object: { write([SystemPrompt.math.text(for: question.context)], &$0) },
            )
            json.member("contents", array: question.turns) { json, turn in
                json.object { json in
                    switch turn.speaker {
                    case .student: json.member("role", "user")
                    case .teacher: json.member("role", "model")
                    }
                    write([turn.text], &json)
                }
            }
            json.member(
                "generationConfig",
                object: { json in
                    json.member("temperature", question.options.temperature)
                    json.member("maxOutputTokens", question.options.maxOutputTokens)
                },
            )
        }
        return request
    }

    private func write(_ parts: [String], _ json: inout JSONWriter) {
        json.member("parts", array: parts) { json, text in json.object { $0.member("text", text) } }
    }

    package func read(_ json: String) throws -> ProviderChunk {
        let chunk = try Self.decoder.decode(Chunk.self, from: Data(json.utf8))
        var result = ProviderChunk()
        result.error = chunk.error?.reported
        result.usage = chunk.usageMetadata?.tokens
        if chunk.promptFeedback?.blockReason != nil { result.end = .finished(.contentFilter) }
        guard let candidate = chunk.candidates?.first else { return result }
        for part in candidate.content?.parts ?? [] {
            if part.thought == true { result.reasoning += part.text ?? "" } else { result.answer += part.text ?? "" }
        }
        result.end = candidate.finishReason.map(end) ?? result.end
        // Every chunk names it; it is read once.
        if result.end != nil {
            let origin = try? Self.decoder.decode(Origin.self, from: Data(json.utf8))
            result.model = ProviderChunk.told(model: origin?.modelVersion)
        }
        return result
    }

    /// What nobody knows yet counts as an ordinary end.
    private func end(_ reason: String) -> ProviderEnd {
        switch reason {
        case "MAX_TOKENS": .finished(.length)
        case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY":
            .finished(.contentFilter)
        case "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL": .brokenOff
        default: .finished(.stop)
        }
    }
}

// The names are the wire's.
extension GeminiDialect {
    private struct Chunk: Decodable {
        let candidates: [Candidate]?
        let promptFeedback: Feedback?
        let usageMetadata: Usage?
        let error: ErrorReport?
    }

    private struct Origin: Decodable {
        let modelVersion: String?
    }

    private struct Candidate: Decodable {
        let content: Content?
        let finishReason: String?
    }

    private struct Content: Decodable {
        let parts: [Part]?
    }

    private struct Part: Decodable {
        let text: String?
        let thought: Bool?
    }

    private struct Feedback: Decodable {
        let blockReason: String?
    }

    /// The thoughts are not among the candidates' tokens.
    private struct Usage: Decodable {
        let promptTokenCount: Int?
        let candidatesTokenCount: Int?
        let thoughtsTokenCount: Int?

        var tokens: TokenUsage? {
            guard let promptTokenCount else { return nil }
            let output = (candidatesTokenCount ?? 0).addingReportingOverflow(thoughtsTokenCount ?? 0)
            guard !output.overflow else { return nil }
            return .told(input: promptTokenCount, output: output.partialValue, reasoning: thoughtsTokenCount)
        }
    }
}
