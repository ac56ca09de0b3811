package import Shared

/// A record of a request that the archive refused or that nobody could read, kept for an operator.
package struct DeadRecord: Sendable {
    package let name: DeadLetterName
    /// When the record was set aside.
    package let setAsideAt: Timestamp
    /// `refused` or `malformed`.
    package let reason: String
    /// What the archive said of it; empty where it was not asked.
    package let detail: String
    /// `submitted` or `finished`; nil for one that nobody could read.
    package let kind: String?
    /// The request it tells of; nil for one that nobody could read.
    package let correlationID: CorrelationID?

    package init(
        name: DeadLetterName,
        setAsideAt: Timestamp,
        reason: String,
        detail: String,
        kind: String?,
        correlationID: CorrelationID?
    ) {
        self.name = name
        self.setAsideAt = setAsideAt
        self.reason = reason
        self.detail = detail
        self.kind = kind
        self.correlationID = correlationID
    }
}

/// The records that were set aside.
package protocol DeadRecordRepository {
    /// The oldest ones first, at most `count`.
    func list(upTo count: Int) async throws(RepositoryFailure) -> [DeadRecord]
    /// Everything that is kept of a record, in the order in which it was written; nil for an unknown one.
    func fields(of record: DeadLetterName) async throws(RepositoryFailure) -> [DeadLetterField]?
    /// Gives a record to the persisters again and uses the letter up: it happens once. What is refused again comes back
    /// under another name.
    func redrive(_ record: DeadLetterName) async throws(RepositoryFailure) -> RedriveResult
    /// Deletes a record for good; false where there is none.
    func drop(_ record: DeadLetterName) async throws(RepositoryFailure) -> Bool
}
