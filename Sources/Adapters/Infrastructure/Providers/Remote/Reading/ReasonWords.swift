internal import Domain

extension ProviderEnd {
    /// No reason yet, though the member is there.
    private static let blanks: Set<String> = [
        "", "null", "none", "nil", "undefined", "0", "finish_reason_unspecified", "unspecified", "in_progress",
    ]

    private static let cuts: Set<String> = ["other", "image_other", "no_image", "missing_thought_signature"]
    private static let filters: Set<String> = ["recitation", "blocklist", "spii", "language", "refusal"]

    /// Parts of words, in the order in which they decide.
    private static let parts: [(part: String, end: ProviderEnd)] =
        [
            "error", "fail", "abort", "cancel", "interrupt", "timeout", "insufficient", "malformed", "unexpected",
            "rate_limit", "too_many",
        ].map { ($0, .brokenOff) }
        + ["filter", "safety", "sensitive", "prohibited", "block", "moderation"].map { ($0, .finished(.contentFilter)) }
        + ["length", "max_", "exceeded", "limit"].map { ($0, .finished(.length)) }

    /// Reads a finish reason of either dialect, by whatever server and in whatever case; nil where it is none yet.
    ///
    /// Servers invent words, so that parts of them decide. What nobody knows is an ordinary end.
    init?(reason: JSONValue?) {
        switch reason {
        case .string(let word):
            self.init(word: word.lowercased().filter { !$0.isWhitespace })
        case .object:
            guard let word = reason?.first(of: "type", "reason", "name")?.string else { return nil }
            self.init(reason: .string(word))
        case .null, .bool, .number, .array, nil:
            return nil
        }
    }

    private init?(word: String) {
        if Self.blanks.contains(word) { return nil }
        if Self.cuts.contains(word) {
            self = .brokenOff
        } else if Self.filters.contains(word) {
            self = .finished(.contentFilter)
        } else {
            self = Self.parts.first { word.contains($0.part) }?.end ?? .finished(.stop)
        }
    }
}
