package import Shared

/// A dead-lettered record of a request: the archive rejected it, or it is unreadable.
package struct DeadRecord: Sendable {
    package let name: DeadLetterName
    /// When the record was dead-lettered.
    package let deadLetteredAt: Timestamp
    /// `refused` or `malformed`.
    package let reason: String
    /// The archive's error; empty for an unreadable record.
    package let detail: String
    /// `submitted` or `finished`; nil for an unreadable record.
    package let kind: String?
    /// Nil for an unreadable record.
    package let correlationID: CorrelationID?

    package init(
        name: DeadLetterName,
        deadLetteredAt: Timestamp,
        reason: String,
        detail: String,
        kind: String?,
        correlationID: CorrelationID?
    ) {
        self.name = name
        self.deadLetteredAt = deadLetteredAt
        self.reason = reason
        self.detail = detail
        self.kind = kind
        self.correlationID = correlationID
    }
}

/// The dead-lettered records.
package protocol DeadRecordRepository {
    /// The oldest ones first, at most `count`.
    func list(upTo count: Int) async throws(RepositoryFailure) -> [DeadRecord]
    /// All fields of a record in stored order; nil for an unknown name.
    func fields(of record: DeadLetterName) async throws(RepositoryFailure) -> [DeadLetterField]?
    /// Enqueues a record for the persisters again and deletes the dead letter, in one step. A record that is rejected again
    /// becomes a dead letter with a new name.
    func redrive(_ record: DeadLetterName) async throws(RepositoryFailure) -> RedriveResult
    /// Deletes a record; false for an unknown name.
    func drop(_ record: DeadLetterName) async throws(RepositoryFailure) -> Bool
}
