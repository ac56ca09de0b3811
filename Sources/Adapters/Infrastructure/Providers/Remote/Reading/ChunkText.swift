extension ProviderChunk {
    /// Adds a content member: a text, a number, a part or a list of parts.
    ///
    /// A part of an unknown type is passed over.
    mutating func add(_ content: JSONValue?, isThinking: Bool = false) {
        switch content {
        case .string(let text), .number(let text): add(text, isThinking: isThinking)
        case .bool(let flag): add(flag ? "true" : "false", isThinking: isThinking)
        case .array(let parts): for part in parts { add(part, isThinking: isThinking) }
        case .object: if let content { add(part: content, isThinking: isThinking) }
        case .null, nil: break
        }
    }

    private mutating func add(_ text: String, isThinking: Bool) {
        if isThinking { reasoning += text } else { answer += text }
    }

    private mutating func add(part: JSONValue, isThinking: Bool) {
        let type = part["type"]?.string?.lowercased() ?? ""
        if ["think", "reason", "thought", "summary"].contains(where: { type.contains($0) }) {
            add(part.first(of: "thinking", "text", "reasoning", "summary", "content"), isThinking: true)
        } else if type.isEmpty || ["text", "refusal", "message"].contains(where: { type.contains($0) }) {
            let isThought = isThinking || part["thought"]?.isTrue == true
            add(part.first(of: "text", "content", "value", "refusal", "summary"), isThinking: isThought)
        }
    }
}
