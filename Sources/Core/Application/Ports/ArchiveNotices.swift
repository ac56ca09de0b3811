package import Shared

/// Push notifications about conversations in the archive.
package protocol ArchiveNotices {
    /// Subscribes to a conversation; what is archived after this returns is notified, unless a push is lost.
    func watch(_ conversation: ConversationID) async -> any ArchiveWatch
}

/// One subscription to one conversation; its owner closes it.
package protocol ArchiveWatch: AnyObject {
    /// Returns after the next notification since the last call, and after `limit` at the latest.
    ///
    /// A hint: the caller reads the archive afterwards. Throws when the task is cancelled.
    func next(within limit: Duration) async throws(CancellationError)
    /// Idempotent.
    func close()
}
