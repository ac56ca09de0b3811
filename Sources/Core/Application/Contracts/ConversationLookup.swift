package import Domain
package import Shared

/// Finds conversations also while they are on their way to the archive, which is a moment behind.
package struct ConversationLookup {
    /// How long after its making a conversation may be on its way.
    private static let freshMilliseconds: Int64 = 10_000

    private let conversations: any ConversationRepository
    private let wallClock: any WallClock
    private let catchUp: ArchiveCatchUp

    package init(
        conversations: any ConversationRepository,
        wallClock: any WallClock,
        catchUp: ArchiveCatchUp
    ) {
        self.conversations = conversations
        self.wallClock = wallClock
        self.catchUp = catchUp
    }

    /// Nil where there is none of this user, for one that was just made after a moment of waiting.
    package func find(_ id: ConversationID, of user: UserID) async throws(RepositoryFailure) -> Conversation? {
        if let found = try await conversations.find(id, of: user) { return found }
        guard isFresh(id) else { return nil }
        return try await catchUp.wait(for: id) { () async throws(RepositoryFailure) in
            try await conversations.find(id, of: user)
        }
    }

    /// The id tells when it was made.
    private func isFresh(_ id: ConversationID) -> Bool {
        let age = wallClock.now().milliseconds - id.bits.version7Time.milliseconds
        return (-Self.freshMilliseconds...Self.freshMilliseconds).contains(age)
    }
}
