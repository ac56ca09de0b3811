package import Application
internal import Domain
package import HTTPClient
internal import Shared

/// Google's `streamGenerateContent`.
package struct GeminiDialect: ProviderDialect {
    package let identity: ProviderIdentity
    private let endpoint: ProviderEndpoint

    package init(_ endpoint: ProviderEndpoint, name: String = "gemini") {
        self.endpoint = endpoint
        identity = ProviderIdentity(name: name, model: endpoint.model, promptVersion: SystemPrompt.math.version)
    }

    /// `STOP` may come ahead of more text: the end of the response is the end, and this only for one that never comes.
    package var closingLimit: Duration { .seconds(10) }

    package func parts(for request: ProviderRequest, without omitted: Set<RequestPart>) -> Set<RequestPart> {
        var parts: Set<RequestPart> = [.systemRole]
        if request.options.temperature != nil { parts.insert(.temperature) }
        if request.options.maxOutputTokens != nil { parts.insert(.maxTokens) }
        return parts.subtracting(omitted)
    }

    package func httpRequest(for request: ProviderRequest, without omitted: Set<RequestPart>) -> HTTPClientRequest {
        let model = endpoint.model.hasPrefix("models/") ? endpoint.model : "models/\(endpoint.model)"
        var http = HTTPClientRequest("POST", "\(endpoint.baseURL)/\(model):streamGenerateContent?alt=sse")
        // In a field and not in the URL, which proxies and servers log.
        if let key = endpoint.apiKey { http.headers.append(("x-goog-api-key", key)) }
        let parts = parts(for: request, without: omitted)
        let prompt = SystemPrompt.math.text(for: request.context)
        let turns = request.turns(beginningWith: parts.contains(.systemRole) ? nil : prompt)
        http.body = JSONWriter.object { json in
            if parts.contains(.systemRole) { json.member("systemInstruction", object: { write([prompt], &$0) }) }
            json.member("contents", array: turns) { json, turn in
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
                    if parts.contains(.temperature) { json.member("temperature", request.options.temperature) }
                    if parts.contains(.maxTokens) { json.member("maxOutputTokens", request.options.maxOutputTokens) }
                },
            )
        }
        return http
    }

    private func write(_ parts: [String], _ json: inout JSONWriter) {
        json.member("parts", array: parts) { json, text in json.object { $0.member("text", text) } }
    }

    package func read(_ json: JSONValue) -> ProviderChunk {
        var result = ProviderChunk()
        result.isDocument = true
        result.error = ErrorSigns.find(in: json)
        result.usage = json.first(of: "usageMetadata", "usage_metadata").flatMap(usage)
        if ProviderEnd(
            reason: json.first(of: "promptFeedback", "prompt_feedback")?.first(of: "blockReason", "block_reason")
        ) != nil {
            result.end = .finished(.contentFilter)
        }
        let candidates = json["candidates"]?.elements ?? []
        if let candidate = candidates.first(where: { ($0["index"]?.integer ?? 0) == 0 }) {
            result.error = result.error ?? ErrorSigns.choice(candidate)
            read(candidate["content"], into: &result)
            if let end = ProviderEnd(reason: candidate.first(of: "finishReason", "finish_reason")) {
                result.end = result.end?.worse(of: end) ?? end
            }
        }
        // Every chunk names it; it is read once.
        if result.end != nil {
            result.model = ProviderChunk.told(model: json.first(of: "modelVersion", "model_version"))
        }
        return result
    }

    private func read(_ content: JSONValue?, into result: inout ProviderChunk) {
        for content in content?.elements ?? [] {
            for part in content["parts"]?.elements ?? [content] {
                result.add(part.isObject ? part["text"] : part, isThinking: part["thought"]?.isTrue == true)
            }
        }
    }

    /// The thoughts are not among the candidates' tokens.
    private func usage(_ usage: JSONValue) -> TokenUsage? {
        let thoughts = usage.first(of: "thoughtsTokenCount", "thoughts_token_count")?.integer
        let output = (usage.first(of: "candidatesTokenCount", "candidates_token_count")?.integer ?? 0)
            .addingReportingOverflow(thoughts ?? 0)
        guard !output.overflow else { return nil }
        return .told(
            input: usage.first(of: "promptTokenCount", "prompt_token_count")?.integer,
            output: output.partialValue,
            reasoning: thoughts
        )
    }
}
