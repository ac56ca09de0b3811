package import Domain
package import Shared

/// Reads one conversation of a user.
package struct ReadConversation: Query {
    package let id: ConversationID
    package let userID: UserID

    package init(id: ConversationID, userID: UserID) {
        self.id = id
        self.userID = userID
    }

    package typealias Output = Conversation

    package enum Failure: Error, Equatable {
        case notFound
        case unavailable
    }
}

package struct ReadConversationHandler: QueryHandler {
    /// How long after its making a conversation may be on its way to the archive, and how long a reader waits for it.
    private static let freshMilliseconds: Int64 = 10_000
    private static let patience = Duration.milliseconds(600)
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

    package func handle(_ query: ReadConversation) async throws(ReadConversation.Failure) -> Conversation {
        let deadline = clock.now + (isFresh(query.id) ? Self.patience : .zero)
        do {
            while true {
                if let found = try await conversations.find(query.id, of: query.userID) { return found }
                guard clock.now < deadline else { break }
                try await clock.sleep(for: Self.interval)
            }
        } catch {
            throw .unavailable
        }
        throw .notFound
    }

    /// The id tells when it was made.
    private func isFresh(_ id: ConversationID) -> Bool {
        let age = wallClock.now().milliseconds - id.bits.version7Time.milliseconds
        return (-Self.freshMilliseconds...Self.freshMilliseconds).contains(age)
    }
}
