internal import Domain

/// How much of a conversation goes to a provider before a new question.
package struct ContextWindow: Sendable {
    /// What the two messages of a turn take besides their text.
    private static let tokensPerTurn = 8

    /// Turns at most; 0 gives no provider a context.
    package let turnsMax: Int
    /// Estimated tokens of all turns at most.
    package let tokensMax: Int

    package init(turnsMax: Int, tokensMax: Int) {
        self.turnsMax = turnsMax
        self.tokensMax = tokensMax
    }

    /// Unicode scalars of a text above which it certainly has no room.
    var textMax: Int { TokenUsage.utf8Bytes(ofTokens: tokensMax) + 1 }

    /// The newest of `turns` (oldest first) that fit: whole turns, without a hole between them and the question.
    func context(of turns: [ConversationTurn]) -> ConversationContext {
        var tokens = 0
        let fitting = turns.suffix(turnsMax).reversed().prefix { turn in
            tokens += Self.tokensPerTurn + Self.tokens(in: turn.problem) + Self.tokens(in: turn.answer)
            return tokens <= tokensMax
        }
        return ConversationContext(turns: fitting.reversed(), omitsEarlierTurns: fitting.count < turns.count)
    }

    private static func tokens(in text: String) -> Int { TokenUsage.estimate(utf8Bytes: text.utf8.count) }
}
