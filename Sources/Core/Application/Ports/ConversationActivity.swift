package import Shared

/// The running and waiting requests of conversations, and the marks of deleted conversations.
package protocol ConversationActivity {
    /// Blocks new requests of a conversation, cancels its running and waiting ones, hides them and erases its recent turns.
    ///
    /// `isArchived` is true where the archive has the conversation; where neither it nor the queue's store knows the
    /// conversation, nothing is written. Returns true where the queue's store knows it as the user's; another user's is not
    /// changed. Idempotent: the caller repeats the call after a failure of a later step.
    func beginDeletion(
        of id: ConversationID,
        by user: UserID,
        isArchived: Bool
    ) async throws(RepositoryFailure) -> Bool
    /// What the queue's store knows of a user's conversation; another user's is ``RecentConversation/unknown``.
    func recent(_ id: ConversationID, of user: UserID) async throws(RepositoryFailure) -> RecentConversation
}

/// A conversation in the queue's store.
package enum RecentConversation: Sendable, Equatable {
    /// Never used by the user, or not for a day.
    case unknown
    case known
    /// Deleted by the user; for at least a day after the deletion.
    case deleted
}
