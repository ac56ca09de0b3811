package import Shared

/// What the queue's store has of accounts whose erasure has begun.
///
/// Every call is idempotent; after ``RepositoryFailure/unavailable`` the caller may retry.
package protocol QueueErasure {
    /// Ends the requests of a conversation and erases those that are over; without any left, the conversation too.
    ///
    /// Returns false while workers still have to end some: the caller repeats the call after a pause. Another user's
    /// conversation is not changed.
    func erase(_ conversation: ErasedConversation) async throws(RepositoryFailure) -> Bool
    /// Erases what is left of the requests of conversations that their users deleted lately, whose ids are not known.
    ///
    /// To be called after ``erase(_:)`` of each; O(n) in the keys of the store.
    func eraseStrays(of conversations: [ErasedConversation]) async throws(RepositoryFailure)
    /// Erases the dead letters, of jobs and of records, that name the account or one of its end users, with what is left of
    /// their requests.
    ///
    /// Returns false while workers still have to end some of those, whose letters stay.
    func eraseDeadLetters(of account: AccountID) async throws(RepositoryFailure) -> Bool
    /// The newest record of each partition.
    func newestRecords() async throws(RepositoryFailure) -> RecordPlaces
    /// True once the archive has got every record up to `places`.
    func hasArchived(_ places: RecordPlaces) async throws(RepositoryFailure) -> Bool
}

/// A place in the stream of records of each partition, in the order of the partitions.
package struct RecordPlaces: Sendable, Equatable {
    package let entries: [String]
    package init(_ entries: [String]) { self.entries = entries }
}
