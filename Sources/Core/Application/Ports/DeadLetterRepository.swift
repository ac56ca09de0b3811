package import Domain
package import Shared

/// A job that was given up, kept for an operator.
package struct DeadLetter: Sendable {
    /// Its name, for ``DeadLetterRepository/redrive(_:)`` and ``DeadLetterRepository/drop(_:)``.
    package let name: DeadLetterName
    /// When the job was given up.
    package let buriedAt: Timestamp
    /// A word such as `attempts_exhausted` or `malformed`.
    package let reason: String
    /// The request it belonged to; nil for an entry that nobody could read.
    package let correlationID: CorrelationID?
    package let attempts: Int
    /// Why the last attempt failed, where that is known.
    package let lastFailure: RequestFailure?
    /// The job entry it came from.
    package let origin: String
    /// The request that it was redriven from, where it was.
    package let redriveOf: CorrelationID?

    package init(
        name: DeadLetterName,
        buriedAt: Timestamp,
        reason: String,
        correlationID: CorrelationID?,
        attempts: Int,
        lastFailure: RequestFailure?,
        origin: String,
        redriveOf: CorrelationID?
    ) {
        self.name = name
        self.buriedAt = buriedAt
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
    /// The store's own name for the entry.
    package let entry: String

    package init(partition: Int, entry: String) {
        self.partition = partition
        self.entry = entry
    }

    /// Nil for anything that is no such name.
    package init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let partition = Int(parts[0]), partition >= 0, UInt64(parts[1]) != nil,
            UInt64(parts[2]) != nil
        else { return nil }
        self.init(partition: partition, entry: "\(parts[1])-\(parts[2])")
    }

    package var description: String { "\(partition)-\(entry)" }
}

/// One thing that is kept of a dead letter.
package struct DeadLetterField: Sendable, Equatable {
    package let name: String
    package let value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// The jobs that were given up.
package protocol DeadLetterRepository {
    /// The oldest ones first, at most `count`.
    func list(upTo count: Int) async throws(RepositoryFailure) -> [DeadLetter]
    /// Everything that is kept of a letter, in the order in which it was written; nil for an unknown one.
    func fields(of letter: DeadLetterName) async throws(RepositoryFailure) -> [DeadLetterField]?
    /// Submits the problem of a dead letter again, as the new request `id`, and uses the letter up: it happens once.
    func redrive(_ letter: DeadLetterName, as id: CorrelationID) async throws(RepositoryFailure) -> RedriveResult
    /// The request a letter belonged to; nil for an unknown letter or one that nobody could read.
    func request(of letter: DeadLetterName) async throws(RepositoryFailure) -> CorrelationID?
    /// Deletes a letter; false where there is none.
    func drop(_ letter: DeadLetterName) async throws(RepositoryFailure) -> Bool
}

package enum RedriveResult: Sendable, Equatable {
    case redriven
    case unknown
    /// The letter holds nothing that could be submitted.
    case unreadable
    /// The conversation that the problem belonged to was deleted.
    case conversationDeleted
}
