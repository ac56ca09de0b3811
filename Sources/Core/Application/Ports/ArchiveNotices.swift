package import Shared

/// Tells when the archive has kept something of a conversation, by push.
package protocol ArchiveNotices {
    /// Begins to listen; what is kept after this returns is told, unless a push is lost.
    func watch(_ conversation: ConversationID) async -> any ArchiveWatch
}

/// One listener for one conversation; to be closed.
package protocol ArchiveWatch: AnyObject {
    /// Returns when something was kept since the last call, and after `limit` at the latest.
    ///
    /// A hint: the caller looks itself afterwards. Throws when the task is cancelled.
    func next(within limit: Duration) async throws(CancellationError)
    /// Idempotent.
    func close()
}
