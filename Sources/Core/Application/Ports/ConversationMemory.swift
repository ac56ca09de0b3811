package import Domain
package import Shared

/// The newest turns of conversations, complete as soon as their requests end.
///
/// Turns that the archive does not have yet are always here; older ones expire.
package protocol ConversationMemory {
    /// The stored turns of a conversation at this moment.
    func turns(of conversation: ConversationID) async throws(RepositoryFailure) -> KnownTurns
    /// Stores the archive's newest turns before the present ones. Idempotent.
    func restoreTurns(
        _ turns: [ConversationTurn],
        of conversation: ConversationID
    ) async throws(RepositoryFailure)
}

/// The turns in a ``ConversationMemory``.
package struct KnownTurns: Sendable {
    /// Oldest first.
    package let turns: [ConversationTurn]
    /// True where no turn is missing that a context has room for.
    package let isWhole: Bool

    package init(turns: [ConversationTurn], isWhole: Bool) {
        self.turns = turns
        self.isWhole = isWhole
    }
}
