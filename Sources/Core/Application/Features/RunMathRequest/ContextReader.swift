internal import Domain
internal import Shared

/// Reads the turns before a request in its conversation.
///
/// The newest turns are read from the memory, which has an answer as soon as its `completed` event is written; expired ones
/// from the archive.
package struct ContextReader {
    /// How long a request waits for an unavailable archive.
    private static let archiveLimit = Duration.seconds(10)
    private static let pause = Duration.milliseconds(250)

    private let memory: any ConversationMemory
    private let archive: any RequestArchive
    private let window: ContextWindow
    private let clock: any MonotonicClock

    package init(
        memory: any ConversationMemory,
        archive: any RequestArchive,
        window: ContextWindow,
        clock: any MonotonicClock
    ) {
        self.memory = memory
        self.archive = archive
        self.window = window
        self.clock = clock
    }

    enum Failure: Error {
        /// Earlier turns cannot be read now; an answer without them would look like an answer with them.
        case unavailable
        case cancelled
    }

    func context(for claim: JobClaim) async throws(Failure) -> ConversationContext {
        guard !claim.opensConversation, window.turnsMax > 0 else { return .empty }
        let conversation = claim.request.conversationID
        let known = try await retrying(atMost: nil) { () async throws(RepositoryFailure) in
            try await memory.turns(of: conversation)
        }
        if known.isWhole { return window.context(of: known.turns) }
        let limit = window.turnsMax + 1
        let archived = try await retrying(atMost: Self.archiveLimit) { () async throws(RepositoryFailure) in
            try await archive.recentTurns(of: conversation, limit: limit, textMax: window.textMax)
        }
        // Only saves the next request a read of the archive.
        try? await memory.restoreTurns(archived, of: conversation)
        let archivedIDs = Set(archived.map(\.correlationID))
        let turns = archived + known.turns.filter { !archivedIDs.contains($0.correlationID) }
        return window.context(of: turns.suffix(limit))
    }

    /// Repeats a read while its store is unavailable; with a nil `limit` until the task is cancelled.
    private func retrying<Value>(
        atMost limit: Duration?,
        _ read: () async throws(RepositoryFailure) -> Value
    ) async throws(Failure) -> Value {
        let start = clock.now
        while true {
            do throws(RepositoryFailure) {
                return try await read()
            } catch {
                if let limit, clock.now - start >= limit { throw .unavailable }
            }
            guard (try? await clock.sleep(for: Self.pause)) != nil else { throw .cancelled }
        }
    }
}
