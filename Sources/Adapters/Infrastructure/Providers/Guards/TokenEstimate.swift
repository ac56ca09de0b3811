internal import Application
internal import Domain

/// Counts tokens where the provider does not: about four bytes each, as in English text and in LaTeX.
struct TokenEstimate {
    private static let bytesPerToken = 4

    private var answer = Count()
    private var reasoning = Count()

    fileprivate struct Count {
        var bytes = 0
        var pieces = 0

        /// A piece holds one token at least.
        var tokens: Int { max(pieces, TokenEstimate.tokens(bytes: bytes)) }
    }

    mutating func add(_ kind: AnswerText, _ text: String) {
        switch kind {
        case .token: answer.add(text)
        case .reasoning: reasoning.add(text)
        }
    }

    /// The usage of a call that was sent, answered as far as was added.
    func usage(of question: Question, to provider: ProviderIdentity) -> TokenUsage {
        let prompt = provider.promptVersion == nil ? 0 : SystemPrompt.math.text(for: question.context).utf8.count
        return TokenUsage(
            inputTokens: Self.tokens(bytes: question.turns.reduce(prompt) { $0 + $1.text.utf8.count }),
            outputTokens: answer.tokens + reasoning.tokens,
            reasoningTokens: reasoning.pieces > 0 ? reasoning.tokens : nil,
            isEstimated: true,
        )
    }

    private static func tokens(bytes: Int) -> Int { (bytes + bytesPerToken - 1) / bytesPerToken }
}

extension TokenEstimate.Count {
    fileprivate mutating func add(_ text: String) {
        bytes += text.utf8.count
        pieces += 1
    }
}
