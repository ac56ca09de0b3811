internal import Domain

/// The part of a conversation that fits before a new problem in a provider's request.
package struct ContextWindow: Sendable {
    /// Overhead of the two messages of a turn.
    private static let tokensPerTurn = 8

    /// At most this many turns; 0 sends no context.
    package let turnsMax: Int
    /// Estimated tokens of all turns, at most.
    package let tokensMax: Int

    package init(turnsMax: Int, tokensMax: Int) {
        self.turnsMax = turnsMax
        self.tokensMax = tokensMax
    }

    /// A text of this many Unicode scalars never fits.
    var textMax: Int { TokenUsage.utf8Bytes(ofTokens: tokensMax) + 1 }

    /// The newest of `turns` (oldest first) that fit: whole turns, without a gap.
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
