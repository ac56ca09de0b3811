package import Application
internal import Domain
package import HTTPClient
internal import Shared

/// Chat Completions, as OpenAI, vLLM, llama.cpp, Ollama and LiteLLM serve them.
package struct OpenAIDialect: ProviderDialect {
    /// Its newer models refuse the old name of the limit, and other servers do not know the new one.
    private static let ownHost = "https://api.openai.com/"

    private static let reasoningNames = [
        "reasoning_content", "reasoning", "thinking", "reasoning_text", "reasoning_details",
    ]

    package let identity: ProviderIdentity
    private let endpoint: ProviderEndpoint

    package init(_ endpoint: ProviderEndpoint, name: String = "openai") {
        self.endpoint = endpoint
        identity = ProviderIdentity(name: name, model: endpoint.model, promptVersion: SystemPrompt.math.version)
    }

    package var endsWithDone: Bool { true }

    package func parts(for request: ProviderRequest, without omitted: Set<RequestPart>) -> Set<RequestPart> {
        var parts: Set<RequestPart> = [.streamOptions, .systemRole]
        if request.options.temperature != nil { parts.insert(.temperature) }
        if request.options.maxOutputTokens != nil, let name = limitName(without: omitted) { parts.insert(name) }
        return parts.subtracting(omitted)
    }

    /// The name of the limit that was not refused yet.
    private func limitName(without omitted: Set<RequestPart>) -> RequestPart? {
        let isOwnHost = endpoint.baseURL.hasPrefix(Self.ownHost)
        let names: [RequestPart] = isOwnHost ? [.maxCompletionTokens, .maxTokens] : [.maxTokens, .maxCompletionTokens]
        return names.first { !omitted.contains($0) }
    }

    package func httpRequest(for request: ProviderRequest, without omitted: Set<RequestPart>) -> HTTPClientRequest {
        var http = HTTPClientRequest("POST", "\(endpoint.baseURL)/chat/completions")
        if let key = endpoint.apiKey { http.headers.append(("Authorization", "Bearer \(key)")) }
        if let attempt = request.attempt {
            // Its own name for it, which its support can find.
            http.headers.append(("X-Client-Request-Id", "\(attempt.correlationID)-\(attempt.number)"))
        }
        let parts = parts(for: request, without: omitted)
        http.body = JSONWriter.object { json in
            json.member("model", endpoint.model)
            let messages = messages(request, hasSystemRole: parts.contains(.systemRole))
            json.member("messages", array: messages) { json, message in
                json.object { json in
                    json.member("role", message.role)
                    json.member("content", message.content)
                }
            }
            json.member("stream", true)
            if parts.contains(.streamOptions) {
                json.member("stream_options", object: { $0.member("include_usage", true) })
            }
            if parts.contains(.temperature) { json.member("temperature", request.options.temperature) }
            if parts.contains(.maxTokens) { json.member("max_tokens", request.options.maxOutputTokens) }
            if parts.contains(.maxCompletionTokens) {
                json.member("max_completion_tokens", request.options.maxOutputTokens)
            }
        }
        return http
    }

    private func messages(_ request: ProviderRequest, hasSystemRole: Bool) -> [(role: String, content: String)] {
        let prompt = SystemPrompt.math.text(for: request.context)
        let turns = request.turns(beginningWith: hasSystemRole ? nil : prompt)
        return (hasSystemRole ? [("system", prompt)] : [])
            + turns.map { turn in
                switch turn.speaker {
                case .student: ("user", turn.text)
                case .teacher: ("assistant", turn.text)
                }
            }
    }

    package func read(_ json: JSONValue) -> ProviderChunk {
        var result = ProviderChunk()
        result.error = ErrorSigns.find(in: json)
        result.usage = (json["usage"] ?? json["x_groq"]?["usage"]).flatMap(usage)
        // Every chunk names it; it is read once.
        if result.usage != nil { result.model = ProviderChunk.told(model: json["model"]) }
        // More than one is never asked for.
        guard let choice = json["choices"]?.elements.first(where: { ($0["index"]?.integer ?? 0) == 0 }) else {
            result.end = end([json])
            return result
        }
        result.error = result.error ?? ErrorSigns.choice(choice)
        let delta = choice["delta"]
        read(delta ?? choice["text"], into: &result)
        if !result.hasText, let message = choice["message"] {
            result.isDocument = true
            read(message, into: &result)
        }
        result.end = end([choice, delta ?? .null, json])
        return result
    }

    /// The worst reason of several places.
    private func end(_ places: [JSONValue]) -> ProviderEnd? {
        let reasons = places.compactMap { $0.first(of: "finish_reason", "finishReason") }
        return reasons.compactMap { ProviderEnd(reason: $0) }.reduce(nil) { $0?.worse(of: $1) ?? $1 }
    }

    private func read(_ text: JSONValue?, into result: inout ProviderChunk) {
        guard let text, text.isObject else { return result.add(text) }
        // Servers that send it under two names mean the same text.
        for name in Self.reasoningNames where result.reasoning.isEmpty { result.add(text[name], isThinking: true) }
        result.add(text["content"])
        result.add(text["refusal"])
    }

    private func usage(_ usage: JSONValue) -> TokenUsage? {
        let details = usage.first(of: "completion_tokens_details", "output_tokens_details")
        return .told(
            input: usage.first(of: "prompt_tokens", "input_tokens")?.integer,
            output: usage.first(of: "completion_tokens", "output_tokens")?.integer,
            reasoning: details?["reasoning_tokens"]?.integer,
        )
    }
}
