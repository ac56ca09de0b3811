package import Domain
package import Shared

/// Conversations as they are kept for good, each call scoped to one user: what is another's does not exist.
///
/// Idempotent where it says so; after ``RepositoryFailure/unavailable`` the caller may try again.
package protocol ConversationRepository {
    /// Keeps a new conversation; keeping the same id again changes nothing.
    func create(_ conversation: Conversation) async throws(RepositoryFailure)
    func find(_ id: ConversationID, of user: UserID) async throws(RepositoryFailure) -> Conversation?
    /// Up to `limit` conversations that follow `place`, the most recently changed first.
    func list(
        of user: UserID,
        after place: ConversationPlace?,
        limit: Int
    ) async throws(RepositoryFailure) -> [Conversation]
    /// Gives a conversation a title; nil where there is none.
    func rename(
        _ id: ConversationID,
        of user: UserID,
        to title: String,
        at time: Timestamp
    ) async throws(RepositoryFailure) -> Conversation?
    /// Deletes a conversation with its requests and answers; false where there was none. Records that are still on their
    /// way to ``RequestArchive`` do not bring it back.
    ///
    /// With `isExpected` the conversation is known to exist though nothing of it may have been kept yet: then it counts
    /// as deleted all the same, unless it had been deleted before.
    func delete(
        _ id: ConversationID,
        of user: UserID,
        isExpected: Bool,
        at time: Timestamp
    ) async throws(RepositoryFailure) -> Bool
    /// Up to `limit` requests from `place` on, that one included, the newest first, each with what there is of its
    /// answer; nil where there is no such conversation.
    func requests(
        in id: ConversationID,
        of user: UserID,
        from place: RequestPlace?,
        limit: Int
    ) async throws(RepositoryFailure) -> [ArchivedRequest]?
}

/// Where a page of conversations begins: after this one.
package struct ConversationPlace: Sendable, Hashable {
    package let updatedAt: Timestamp
    package let id: ConversationID

    package init(updatedAt: Timestamp, id: ConversationID) {
        self.updatedAt = updatedAt
        self.id = id
    }
}

/// A request's place in its conversation: by the time it was asked, then by id.
package struct RequestPlace: Sendable, Hashable {
    package let createdAt: Timestamp
    package let id: CorrelationID

    package init(createdAt: Timestamp, id: CorrelationID) {
        self.createdAt = createdAt
        self.id = id
    }
}
