package import Domain
package import Shared

/// The permanent storage of conversations.
///
/// Each call is scoped to one user: another user's conversation does not exist.
///
/// After ``RepositoryFailure/unavailable`` the caller may retry.
package protocol ConversationRepository {
    /// Stores a new conversation; idempotent by id.
    func create(_ conversation: Conversation) async throws(RepositoryFailure)
    func find(_ id: ConversationID, of user: UserID) async throws(RepositoryFailure) -> Conversation?
    /// Up to `limit` conversations after `place`, the most recently changed first.
    func list(
        of user: UserID,
        after place: ConversationPlace?,
        limit: Int
    ) async throws(RepositoryFailure) -> [Conversation]
    /// Sets the title of a conversation; nil where there is no such conversation.
    func rename(
        _ id: ConversationID,
        of user: UserID,
        to title: String,
        at time: Timestamp
    ) async throws(RepositoryFailure) -> Conversation?
    /// Deletes a conversation with its requests and answers; false where there was none. Records that reach
    /// ``RequestArchive`` later do not restore it.
    ///
    /// With `isExpected` the conversation exists even if no record of it has been stored yet: the call then returns true,
    /// unless it had been deleted before.
    func delete(
        _ id: ConversationID,
        of user: UserID,
        isExpected: Bool,
        at time: Timestamp
    ) async throws(RepositoryFailure) -> Bool
    /// Up to `limit` requests from `place` on, inclusive, the newest first, with their answers; nil where there is no such
    /// conversation.
    func requests(
        in id: ConversationID,
        of user: UserID,
        from place: RequestPlace?,
        limit: Int
    ) async throws(RepositoryFailure) -> [ArchivedRequest]?
}

/// The last conversation of the previous page.
package struct ConversationPlace: Sendable, Hashable {
    package let updatedAt: Timestamp
    package let id: ConversationID

    package init(updatedAt: Timestamp, id: ConversationID) {
        self.updatedAt = updatedAt
        self.id = id
    }
}

/// A request's place in its conversation: by submission time, then by id.
package struct RequestPlace: Sendable, Hashable {
    package let createdAt: Timestamp
    package let id: CorrelationID

    package init(createdAt: Timestamp, id: CorrelationID) {
        self.createdAt = createdAt
        self.id = id
    }
}
