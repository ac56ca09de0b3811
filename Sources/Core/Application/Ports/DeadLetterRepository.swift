package import Domain
package import Shared

/// A dead-lettered job, stored for an operator.
package struct DeadLetter: Sendable {
    /// Its name, for ``DeadLetterRepository/redrive(_:)`` and ``DeadLetterRepository/drop(_:)``.
    package let name: DeadLetterName
    /// When the job was dead-lettered.
    package let deadLetteredAt: Timestamp
    /// Such as `attempts_exhausted` or `malformed`.
    package let reason: String
    /// The job's request; nil for an unreadable entry.
    package let correlationID: CorrelationID?
    package let attempts: Int
    /// Why the last attempt failed; nil where that is not known.
    package let lastFailure: RequestFailure?
    /// The id of the job's entry.
    package let origin: String
    /// The request from which this one was redriven; nil where it was submitted.
    package let redriveOf: CorrelationID?

    package init(
        name: DeadLetterName,
        deadLetteredAt: Timestamp,
        reason: String,
        correlationID: CorrelationID?,
        attempts: Int,
        lastFailure: RequestFailure?,
        origin: String,
        redriveOf: CorrelationID?
    ) {
        self.name = name
        self.deadLetteredAt = deadLetteredAt
        self.reason = reason
        self.correlationID = correlationID
        self.attempts = attempts
        self.lastFailure = lastFailure
        self.origin = origin
        self.redriveOf = redriveOf
    }
}

/// The name of a dead letter: `<partition>-<milliseconds>-<number>`.
package struct DeadLetterName: Sendable, Hashable, CustomStringConvertible {
    package let partition: Int
    /// The store's own id of the entry.
    package let entry: String

    package init(partition: Int, entry: String) {
        self.partition = partition
        self.entry = entry
    }

    /// Nil for a text of another form.
    package init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let partition = Int(parts[0]), partition >= 0, UInt64(parts[1]) != nil,
            UInt64(parts[2]) != nil
        else { return nil }
        self.init(partition: partition, entry: "\(parts[1])-\(parts[2])")
    }

    package var description: String { "\(partition)-\(entry)" }
}

/// A field of a dead letter.
package struct DeadLetterField: Sendable, Equatable {
    package let name: String
    package let value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// The dead-lettered jobs.
package protocol DeadLetterRepository {
    /// The oldest ones first, at most `count`.
    func list(upTo count: Int) async throws(RepositoryFailure) -> [DeadLetter]
    /// All fields of a dead letter in stored order; nil for an unknown name.
    func fields(of letter: DeadLetterName) async throws(RepositoryFailure) -> [DeadLetterField]?
    /// Submits the problem of a dead letter again, as the new request `id`, and deletes the dead letter, in one step.
    func redrive(_ letter: DeadLetterName, as id: CorrelationID) async throws(RepositoryFailure) -> RedriveResult
    /// The request of a dead letter; nil for an unknown or unreadable one.
    func request(of letter: DeadLetterName) async throws(RepositoryFailure) -> CorrelationID?
    /// Deletes a dead letter; false for an unknown name.
    func drop(_ letter: DeadLetterName) async throws(RepositoryFailure) -> Bool
}

package enum RedriveResult: Sendable, Equatable {
    case redriven
    case unknown
    /// The dead letter has no problem that could be submitted.
    case unreadable
    /// The problem's conversation was deleted.
    case conversationDeleted
}
