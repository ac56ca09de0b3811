internal import Application
internal import Domain

/// Counts tokens where the provider does not.
struct TokenEstimate {
    private var answer = Count()
    private var reasoning = Count()

    fileprivate struct Count {
        var bytes = 0
        var pieces = 0

        /// A piece holds one token at least.
        var tokens: Int { max(pieces, TokenUsage.estimate(utf8Bytes: bytes)) }
    }

    mutating func add(_ kind: AnswerText, _ text: String) {
        switch kind {
        case .token: answer.add(text)
        case .reasoning: reasoning.add(text)
        }
    }

    /// The usage of a call that was sent, answered as far as was added.
    func usage(of request: ProviderRequest, to provider: ProviderIdentity) -> TokenUsage {
        let prompt = provider.promptVersion == nil ? 0 : SystemPrompt.math.text(for: request.context).utf8.count
        return TokenUsage(
            inputTokens: TokenUsage.estimate(utf8Bytes: request.turns.reduce(prompt) { $0 + $1.text.utf8.count }),
            outputTokens: answer.tokens + reasoning.tokens,
            reasoningTokens: reasoning.pieces > 0 ? reasoning.tokens : nil,
            isEstimated: true,
        )
    }
}

extension TokenEstimate.Count {
    fileprivate mutating func add(_ text: String) {
        bytes += text.utf8.count
        pieces += 1
    }
}
