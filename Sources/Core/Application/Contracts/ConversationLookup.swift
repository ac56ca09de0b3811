package import Domain
package import Shared

/// Finds conversations also while they are on their way to the archive, which is a moment behind.
package struct ConversationLookup {
    /// How long after its making a conversation may be on its way, and how long a reader waits for it.
    private static let freshMilliseconds: Int64 = 10_000
    private static let patience = Duration.seconds(1)
    private static let interval = Duration.milliseconds(40)

    private let conversations: any ConversationRepository
    private let wallClock: any WallClock
    private let clock: any MonotonicClock

    package init(
        conversations: any ConversationRepository,
        wallClock: any WallClock,
        clock: any MonotonicClock
    ) {
        self.conversations = conversations
        self.wallClock = wallClock
        self.clock = clock
    }

    /// Nil where there is none of this user, for one that was just made after a moment of waiting.
    package func find(_ id: ConversationID, of user: UserID) async throws(RepositoryFailure) -> Conversation? {
        let deadline = clock.now + (isFresh(id) ? Self.patience : .zero)
        while true {
            if let found = try await conversations.find(id, of: user) { return found }
            guard clock.now < deadline else { return nil }
            do {
                try await clock.sleep(for: Self.interval)
            } catch {
                throw .unavailable
            }
        }
    }

    /// The id tells when it was made.
    private func isFresh(_ id: ConversationID) -> Bool {
        let age = wallClock.now().milliseconds - id.bits.version7Time.milliseconds
        return (-Self.freshMilliseconds...Self.freshMilliseconds).contains(age)
    }
}
