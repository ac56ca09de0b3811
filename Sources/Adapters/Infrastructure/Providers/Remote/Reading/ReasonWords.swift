internal import Domain

extension ProviderEnd {
    /// No reason yet, though the member is there.
    private static let blanks: Set<String> = [
        "", "null", "none", "nil", "undefined", "unspecified", "finishreasonunspecified", "blockreasonunspecified",
        "inprogress", "notfinished", "pending", "processing", "running", "generating", "streaming", "continue",
    ]

    /// The whole answer is there.
    private static let ends: Set<String> = [
        "complete", "completed", "completion", "done", "finish", "finished", "normal", "eot", "eotid", "imend",
        "toolcall", "toolcalls", "tooluse", "functioncall", "functioncalls",
    ]

    /// Parts of words that decide ahead of ``parts``: something else than its length or a filter has cut the answer.
    private static let cuts = [
        "error", "fail", "abort", "cancel", "interrupt", "timeout", "timelimit", "deadline", "insufficient",
        "malformed", "unexpected", "ratelimit", "toomany", "quota", "usagelimit", "exception", "incomplete",
    ]

    /// Parts of words, in the order in which they decide.
    private static let parts: [(part: String, reason: FinishReason)] =
        [
            "filter", "safety", "sensitive", "prohibited", "block", "moderat", "recitation", "spii", "refusal",
            "modelarmor", "guardrail", "flagged", "jailbreak", "contentpolicy", "policyviolation",
        ].map { ($0, .contentFilter) }
        + [
            "length", "maxtoken", "maxoutput", "maxnew", "maxcompletion", "tokenlimit", "tokenslimit", "outputlimit",
            "contextlimit", "contextwindow", "tokensexceeded",
        ].map { ($0, .length) }
        + [("stop", .stop)]

    /// Words that decide only as a whole.
    private static let words: [String: FinishReason] = [
        "language": .contentFilter, "limit": .length, "max": .length, "exceeded": .length,
    ]

    /// Reads a finish reason of either dialect, of any server and in any case; nil if it is none yet.
    ///
    /// Servers invent words, so parts of words decide. An unknown word counts as a cut: only a known end completes an
    /// answer.
    init?(reason: JSONValue?) {
        switch reason {
        case .string(let text):
            self.init(word: text.lowercased().filter { $0.isLetter || $0.isNumber })
        case .object:
            guard let word = reason?.first(of: "type", "reason", "name")?.string else { return nil }
            self.init(reason: .string(word))
        case .null, .bool, .number, .array, nil:
            return nil
        }
    }

    private init?(word: String) {
        if Self.blanks.contains(word) || word.allSatisfy(\.isNumber) { return nil }
        if Self.cuts.contains(where: { word.contains($0) }) {
            self = .brokenOff
        } else if let known = Self.parts.first(where: { word.contains($0.part) }) {
            self = .finished(known.reason)
        } else if Self.words[word] != nil || Self.isEnd(word) {
            self = .finished(Self.words[word] ?? .stop)
        } else {
            self = .brokenOff
        }
    }

    /// Such as `end_turn`, `<|endoftext|>` and `eos_token`.
    private static func isEnd(_ word: String) -> Bool {
        ends.contains(word) || word.hasPrefix("eos") || word.hasPrefix("end") && !word.hasPrefix("endpoint")
    }
}
