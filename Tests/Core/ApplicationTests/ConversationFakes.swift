import Application
import ArchiveSupport
import Domain
import Shared

/// Turns in memory, complete or not.
final class MemoryFake: ConversationMemory {
    var recalled = KnownTurns(turns: [], isWhole: true)
    /// Calls that fail before the first that works.
    var failures = 0
    private(set) var remembered: [ConversationTurn]?

    func turns(of conversation: ConversationID) async throws(RepositoryFailure) -> KnownTurns {
        if failures > 0 {
            failures -= 1
            throw .unavailable
        }
        return recalled
    }

    func restoreTurns(_ turns: [ConversationTurn], of conversation: ConversationID) async throws(RepositoryFailure) {
        remembered = turns
    }
}

/// Archived turns, or an archive that is unavailable.
final class ArchiveFake: RequestArchive {
    var turns: [ConversationTurn] = []
    /// Calls that fail before the first that works.
    var failures = 0
    private(set) var limits: [Int] = []

    func recentTurns(
        of conversation: ConversationID,
        limit: Int,
        textMax: Int
    ) async throws(RepositoryFailure) -> [ConversationTurn] {
        limits.append(limit)
        if failures > 0 {
            failures -= 1
            throw .unavailable
        }
        return turns.suffix(limit)
    }

    func add(_ entries: [ArchiveEntry]) async throws(ArchiveFailure) -> Set<AccountID> { [] }
    func find(_ id: CorrelationID, of user: UserID) async throws(RepositoryFailure) -> ArchivedRequest? { nil }
    func isDeleted(_ id: CorrelationID, of user: UserID) async throws(RepositoryFailure) -> Bool { false }
}

/// A turn of so many characters: half of them the problem, half the answer.
func turn(_ number: UInt64, characters: Int = 8) -> ConversationTurn {
    let half = String(repeating: "\(number % 10)", count: characters / 2)
    return ConversationTurn(correlationID: identifier(number), problem: half, answer: half)
}

/// Conversations in memory.
func emptyArchive() -> InMemoryArchive {
    InMemoryArchive(identifiers: IdentifierFactory(clock: FixedWallClock(), random: FixedRandom.half))
}
