internal import Synchronization

/// A part of a request that some servers refuse and that an answer does not depend on.
package enum RequestPart: String, Sendable, CaseIterable {
    /// `stream_options`, which asks for the usage.
    case streamOptions = "stream_options"
    /// Instructions in a place of their own; else they go before the first problem.
    case systemRole = "system"
    case temperature
    /// The limit of the answer's length, by its older name and by its newer one.
    case maxTokens = "max_tokens"
    case maxCompletionTokens = "max_completion_tokens"
}

/// What a provider's server has refused so far and is sent no more, for all loops of a process.
///
/// ```
///  sent ──refused──► tried without ──answered──► left out, for as long as the process lives
///   ▲                     │
///   └──refused again──────┘
/// ```
/// Safe from any thread.
package final class RequestShape: Sendable {
    private struct Status {
        var tried: Set<RequestPart> = []
        var confirmed: Set<RequestPart> = []
    }

    private let status = Mutex(Status())
    private let onConfirm: @Sendable (RequestPart) -> Void

    /// `onConfirm` is called once for each part that is left out for good.
    package init(onConfirm: @escaping @Sendable (RequestPart) -> Void = { _ in }) { self.onConfirm = onConfirm }

    /// What the next request goes without.
    var leftOut: Set<RequestPart> { status.withLock { $0.tried.union($0.confirmed) } }

    /// The server refused `parts`: the next requests go without them.
    func tryWithout(_ parts: Set<RequestPart>) {
        status.withLock { $0.tried.formUnion(parts.subtracting($0.confirmed)) }
    }

    /// The server refused a request without `parts`, too: they were not the cause.
    func restore(_ parts: Set<RequestPart>) { status.withLock { $0.tried.subtract(parts) } }

    /// The server answered a request without `parts`.
    func confirm(_ parts: Set<RequestPart>) {
        guard !parts.isEmpty else { return }
        let new = status.withLock { status in
            let new = status.tried.intersection(parts)
            status.tried.subtract(new)
            status.confirmed.formUnion(new)
            return new
        }
        for part in RequestPart.allCases where new.contains(part) { onConfirm(part) }
    }
}

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
        "not permitted", "not allowed", "not enabled", "additional properties", "unexpected keyword", "invalid role",
        "cannot find field", "must be user", "unknown role", "not accept", "only the default",
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
