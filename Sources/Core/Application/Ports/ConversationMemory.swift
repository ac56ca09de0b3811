package import Domain
package import Shared

/// The newest turns of conversations, known the moment their requests are over.
///
/// Only what is newer than the archive is certain to be here: the rest is forgotten after a while.
package protocol ConversationMemory {
    /// What is known of a conversation's turns, as of now.
    func recall(_ conversation: ConversationID) async throws(RepositoryFailure) -> RecalledTurns
    /// Puts the archive's newest turns before those that are known. Idempotent.
    func remember(
        _ turns: [ConversationTurn],
        of conversation: ConversationID
    ) async throws(RepositoryFailure)
}

/// What a ``ConversationMemory`` knows.
package struct RecalledTurns: Sendable {
    /// Oldest first.
    package let turns: [ConversationTurn]
    /// True where turns are missing only before the first one, and only as many as no context has room for.
    package let isWhole: Bool

    package init(turns: [ConversationTurn], isWhole: Bool) {
        self.turns = turns
        self.isWhole = isWhole
    }
}
