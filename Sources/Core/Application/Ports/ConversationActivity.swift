package import Shared

/// What goes on in conversations right now, beside what is kept of them for good.
package protocol ConversationActivity {
    /// A conversation is about to be deleted: cancels what runs or waits in it, forgets its recent turns, lets nothing new
    /// begin in it, and hides its requests. `isKept` tells that the archive has it: where it is known neither there nor
    /// here, nothing is written.
    ///
    /// Gives whether anything was known of a conversation of this user here; another user's is left alone. Idempotent:
    /// the caller repeats it after a failure of its own.
    func end(
        _ id: ConversationID,
        of user: UserID,
        isKept: Bool
    ) async throws(RepositoryFailure) -> Bool
}
