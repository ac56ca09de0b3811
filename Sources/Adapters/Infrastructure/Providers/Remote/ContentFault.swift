/// Why a provider refuses the content of a request, not its form (``RefusedParts``).
package enum ContentFault: Sendable, Hashable {
    /// A filter blocks it.
    case filtered
    /// It is too long, or against the provider's rules.
    case unanswerable

    private static let filterCodes: Set<String> = [
        "content_filter", "content_policy_violation", "responsibleaipolicyviolation",
    ]
    private static let phrases = [
        "context length", "context_length", "context window", "context_window", "context size", "context_size",
        "maximum context", "input token count", "maximum number of tokens", "prompt length", "prompt_too_long",
        "string_above_max_length", "string too long", "invalid_prompt", "content policy", "content_policy",
        "contentpolicy", "content management policy", "content filter", "content_filter", "responsibleai",
        "usage policy", "usage policies", "prohibited content", "inappropriate content", "sensitive content",
        "data_inspection_failed", "flagged", "moderation", "unsafe",
    ]
    private static let subjects = ["prompt", "input", "message", "content", "question", "conversation"]
    /// Phrases of errors that contain such words and are not about the content.
    private static let others = [
        "api key", "api_key", "account", "organization", "credit", "billing", "quota", "per minute", "per day",
        "does not exist", "not found",
    ]

    /// Members that repeat the request, or contain text of the answer.
    private static let repeated: Set<String> = ["input", "body", "request", "ctx", "choices", "candidates", "delta"]

    /// Reads the codes and texts of a report except those that repeat the request; nil where none is about the content.
    init?(of report: JSONValue) {
        var texts: [String] = []
        Self.collect(report, into: &texts)
        if texts.contains(where: { Self.filterCodes.contains($0.lowercased()) }) {
            self = .filtered
        } else {
            self.init(words: texts.joined(separator: "\n"))
        }
    }

    init?(words: String) {
        let words = words.lowercased()
        let isTooLong = words.contains("too long") && Self.subjects.contains { words.contains($0) }
        guard isTooLong || Self.phrases.contains(where: { words.contains($0) }),
            !Self.others.contains(where: { words.contains($0) })
        else { return nil }
        self = .unanswerable
    }

    private static func collect(_ value: JSONValue, into texts: inout [String]) {
        switch value {
        case .string(let text): texts.append(text)
        case .array(let values): for value in values { collect(value, into: &texts) }
        case .object(let members):
            for member in members where !repeated.contains(member.name) {
                collect(member.value, into: &texts)
            }
        case .null, .bool, .number: break
        }
    }
}
