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
    /// True where the user has deleted the conversation, for at least a day after the deletion.
    func isDeleted(_ id: ConversationID, by user: UserID) async throws(RepositoryFailure) -> Bool
}
