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
    /// Words for a part that the server does not know or never takes.
    private static let unsupportedPhrases = [
        "not supported", "unsupported", "not support", "unrecognized", "unrecognised", "unknown field", "unknown name",
        "unknown parameter", "unknown argument", "unexpected field", "extra inputs", "extra_forbidden", "extra fields",
        "not permitted", "not enabled", "additional properties", "unexpected keyword", "cannot find field",
        "does not accept", defaultPhrase,
    ]
    /// No other value is taken either.
    private static let defaultPhrase = "only the default"
    private static let shapePhrases = [
        "invalid role", "must be user", "unknown role", "roles must alternate", "input should be", "got system",
        "unexpected role", "must be one of", "only user",
    ]
    /// Words for a value that the server rejects, although it may accept another.
    private static let valuePhrases = [
        "unsupported value", "unsupported_value", "invalid value", "invalid_value", "between", "range", "less than",
        "less_than", "lower than", "greater than", "greater_than", "higher than", "at most", "at least", "no more than",
        "maximum", "minimum", "exceed", "above", "below", "too large", "too high", "too big", "too low", "too small",
        "<=", ">=", "\u{2264}", "\u{2265}", "input should be", "must be in",
    ]

    /// The parts that are named.
    package private(set) var named: Set<RequestPart> = []
    /// True if the text says that a part of the request is not accepted.
    package private(set) var isAboutShape = false
    /// True if the text says that the parts are not accepted with any value.
    package private(set) var areUnsupported = false
    /// True if the text is about the value of an option.
    private var areAboutValue = false

    package init() {}

    /// Reads every text of a report but what repeats the request.
    init(words value: JSONValue) {
        var texts: [String] = []
        Self.collect(value, into: &texts)
        self.init(texts.joined(separator: "\n"))
    }

    init(_ text: String) {
        let text = text.lowercased()
        func has(_ phrases: [String]) -> Bool { phrases.contains { text.contains($0) } }
        let saysUnsupported = has(Self.unsupportedPhrases)
        isAboutShape = saysUnsupported || has(Self.shapePhrases)
        areAboutValue = (has(Self.valuePhrases) || Self.quotesValue(text)) && !text.contains(Self.defaultPhrase)
        areUnsupported = saysUnsupported && !areAboutValue
        for (part, any) in Self.words where has(any) { named.insert(part) }
        if text.contains("system"), text.contains("role") { named.insert(.systemRole) }
        if named.isEmpty { areAboutValue = false }
    }

    /// True where the name of an option is followed by a number, as in `temperature=1.5` or `'temperature' does not support 3`.
    private static func quotesValue(_ text: String) -> Bool {
        for (part, names) in words where part.isOption {
            for name in names {
                for range in text.ranges(of: name) {
                    var rest = text[range.upperBound...].drop { "'\"`=: (".contains($0) }
                    if rest.hasPrefix("does not support ") { rest = rest.dropFirst("does not support ".count) }
                    if let first = rest.first, first.isASCII, first.isNumber { return true }
                }
            }
        }
        return false
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
            let isValue = status == 400 && areAboutValue && !named.isEmpty && named.allSatisfy(\.isOption)
            guard isAboutShape || isPlain || isValue else { return [] }
            if !named.isEmpty { return named }
            return status == 400 ? sent.intersection([.streamOptions]) : []
        case 422: return named.isEmpty ? sent.intersection([.streamOptions]) : named
        case _: return []
        }
    }
}
