package import Shared

/// What the archive has of accounts whose erasure has begun.
///
/// From ``begin(_:at:)`` on, ``RequestArchive`` stores nothing of the account and its end users any more. Every call is
/// idempotent; after ``RepositoryFailure/unavailable`` the caller may retry.
package protocol ArchiveErasure {
    /// Marks the account, and deletes its credentials and all that names its owner; false where there is no such account.
    func begin(_ account: AccountID, at time: Timestamp) async throws(RepositoryFailure) -> Bool
    /// The erasures that no replica has worked on for `idle`, the oldest first, a few at a time; each counts as worked on
    /// from now on.
    func claimPending(idleFor idle: Duration) async throws(RepositoryFailure) -> [AccountID]
    /// True from ``begin(_:at:)`` to ``complete(_:)``.
    func isPending(_ account: AccountID) async throws(RepositoryFailure) -> Bool
    /// Notes that a replica works on the erasure; false where there is none.
    func renew(_ account: AccountID) async throws(RepositoryFailure) -> Bool
    /// Up to `limit` conversations after `place`, by id, deleted ones included, of the account and of its end users.
    func conversations(
        of account: AccountID,
        after place: ConversationID?,
        limit: Int
    ) async throws(RepositoryFailure) -> [ErasedConversation]
    /// Deletes conversations of the account with their requests and answers.
    func delete(_ conversations: [ConversationID], of account: AccountID) async throws(RepositoryFailure)
    /// Deletes usage and the account itself, of which a digest is left for ``AccessChanges``; false where it still has
    /// conversations, and then nothing is deleted.
    func complete(_ account: AccountID) async throws(RepositoryFailure) -> Bool
}

/// A conversation to erase, with those of its requests that are known.
package struct ErasedConversation: Sendable, Equatable {
    package let id: ConversationID
    package let user: UserID
    package let requests: [CorrelationID]
    /// When its user deleted it: the archive does not know its requests any more.
    package let deletedAt: Timestamp?

    package init(id: ConversationID, user: UserID, requests: [CorrelationID], deletedAt: Timestamp? = nil) {
        self.id = id
        self.user = user
        self.requests = requests
        self.deletedAt = deletedAt
    }
}
