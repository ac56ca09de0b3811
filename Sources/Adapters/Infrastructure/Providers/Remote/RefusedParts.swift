/// What of a request a refusal is about, by its words.
package struct RefusedParts: Sendable, Hashable {
    private static let words: [(part: RequestPart, any: [String])] = [
        (.streamOptions, ["stream_options", "streamoptions", "stream options", "include_usage"]),
        (
            .systemRole,
            [
                "'system'", "\"system\"", "`system`", "system message", "system prompt", "system instruction",
                "systeminstruction", "system_instruction", "developer instruction",
                "user and assistant roles", "'user' or 'assistant'", "'user', 'assistant'", "roles must alternate",
            ]
        ),
        (.temperature, ["temperature"]),
        (.maxTokens, ["max_tokens", "maxtokens", "maxoutputtokens", "max_output_tokens", "max_completion_tokens"]),
        (.maxCompletionTokens, ["max_tokens", "max_completion_tokens"]),
    ]
    private static let phrases = [
        "not supported", "unsupported", "not support", "unrecognized", "unrecognised", "unknown field", "unknown name",
        "unknown parameter", "unknown argument", "unexpected field", "extra inputs", "extra_forbidden", "extra fields",
        "not permitted", "not enabled", "additional properties", "unexpected keyword", "invalid role",
        "cannot find field", "must be user", "unknown role", "does not accept", "only the default",
        "roles must alternate", "input should be", "got system", "unexpected role", "must be one of", "only user",
    ]

    /// The parts that are named.
    package private(set) var named: Set<RequestPart> = []
    /// True where the words say that something of the request is not taken.
    package private(set) var isAboutShape = false

    package init() {}

    /// Reads every text of a report but what repeats the request.
    init(words value: JSONValue) {
        var texts: [String] = []
        Self.collect(value, into: &texts)
        self.init(texts.joined(separator: "\n"))
    }

    init(_ text: String) {
        let text = text.lowercased()
        isAboutShape = Self.phrases.contains { text.contains($0) }
        for (part, any) in Self.words where any.contains(where: { text.contains($0) }) { named.insert(part) }
        if text.contains("system"), text.contains("role") { named.insert(.systemRole) }
    }

    private static func collect(_ value: JSONValue, into texts: inout [String]) {
        switch value {
        case .string(let text): texts.append(text)
        case .array(let values): for value in values { collect(value, into: &texts) }
        case .object(let members):
            for member in members where !["input", "body", "request", "ctx"].contains(member.name) {
                collect(member.value, into: &texts)
            }
        case .null, .bool, .number: break
        }
    }

    /// What the next request had better go without, of the parts that were `sent`; empty where that cannot help.
    func cause(status: Int, sent: Set<RequestPart>) -> Set<RequestPart> {
        let named = named.intersection(sent)
        switch status {
        case 400, 404, 500, 501:
            let isPlain = status == 400 && (named == [.temperature] || named == [.streamOptions])
            guard isAboutShape || isPlain else { return [] }
            if !named.isEmpty { return named }
            return status == 400 ? sent.intersection([.streamOptions]) : []
        case 422: return named.isEmpty ? sent.intersection([.streamOptions]) : named
        case _: return []
        }
    }
}
