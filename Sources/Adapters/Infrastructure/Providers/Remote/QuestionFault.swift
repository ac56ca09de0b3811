/// What of a question a refusal names as its cause.
package enum QuestionFault: Sendable, Hashable {
    /// A filter does not let it pass.
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
    /// What has such words in it and is not about the question.
    private static let others = [
        "api key", "api_key", "account", "organization", "credit", "billing", "quota", "per minute", "per day",
        "does not exist", "not found",
    ]

    /// Members that repeat the request, or have text of the answer.
    private static let repeated: Set<String> = ["input", "body", "request", "ctx", "choices", "candidates", "delta"]

    /// Reads the codes and texts of a report but what repeats the request; nil where none names the question.
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
