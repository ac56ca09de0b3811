internal import Domain
internal import Shared

/// Finds out what was asked and answered before a request in its conversation.
///
/// The newest turns come from the memory, which knows of an answer with its `completed` event. What it has forgotten
/// comes from the archive.
package struct ContextReader {
    /// How long a question waits for an archive that is away.
    private static let patience = Duration.seconds(10)
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
        /// Earlier turns cannot be read now: an answer without them would pass for one with them.
        case unavailable
        case cancelled
    }

    func context(for claim: JobClaim) async throws(Failure) -> ConversationContext {
        guard !claim.opensConversation, window.turnsMax > 0 else { return .empty }
        let conversation = claim.request.conversationID
        let recalled = try await patiently(atMost: nil) { () async throws(RepositoryFailure) in
            try await memory.recall(conversation)
        }
        if recalled.isWhole { return window.context(of: recalled.turns) }
        let limit = window.turnsMax + 1
        let archived = try await patiently(atMost: Self.patience) { () async throws(RepositoryFailure) in
            try await archive.recentTurns(of: conversation, limit: limit, textMax: window.textMax)
        }
        // Only saves the next question the way to the archive.
        try? await memory.remember(archived, of: conversation)
        let known = Set(archived.map(\.correlationID))
        let turns = archived + recalled.turns.filter { !known.contains($0.correlationID) }
        return window.context(of: turns.suffix(limit))
    }

    /// Repeats a read; without a limit until the task is cancelled, because without the queue's store nothing goes on.
    private func patiently<Value>(
        atMost patience: Duration?,
        _ read: () async throws(RepositoryFailure) -> Value
    ) async throws(Failure) -> Value {
        let start = clock.now
        while true {
            do throws(RepositoryFailure) {
                return try await read()
            } catch {
                if let patience, clock.now - start >= patience { throw .unavailable }
            }
            guard (try? await clock.sleep(for: Self.pause)) != nil else { throw .cancelled }
        }
    }
}
