package import Domain
package import Shared

/// Finds conversations, also those whose first record has not reached the archive yet.
package struct ConversationLookup {
    /// A conversation of this age or younger may be missing in the archive.
    private static let freshMilliseconds: Int64 = 10_000

    private let conversations: any ConversationRepository
    private let activity: any ConversationActivity
    private let wallClock: any WallClock
    private let catchUp: ArchiveCatchUp

    package init(
        conversations: any ConversationRepository,
        activity: any ConversationActivity,
        wallClock: any WallClock,
        catchUp: ArchiveCatchUp
    ) {
        self.conversations = conversations
        self.activity = activity
        self.wallClock = wallClock
        self.catchUp = catchUp
    }

    /// Nil where this user has no such conversation.
    ///
    /// For a new id that the archive does not have, it waits for the archive, at most a second; a deleted conversation is not
    /// waited for. Throws where the queue's store knows the conversation and the archive does not get its record.
    package func find(_ id: ConversationID, of user: UserID) async throws(RepositoryFailure) -> Conversation? {
        if let found = try await conversations.find(id, of: user) { return found }
        // Without the queue's store the archive decides alone.
        let recent = (try? await activity.recent(id, of: user)) ?? .unknown
        switch recent {
        case .deleted: return nil
        case .unknown where !isFresh(id): return nil
        case .unknown, .known: break
        }
        let found = try await catchUp.wait(for: id) { () async throws(RepositoryFailure) in
            try await conversations.find(id, of: user)
        }
        if found == nil, recent == .known { throw .unavailable }
        return found
    }

    /// The id contains the time of its generation.
    private func isFresh(_ id: ConversationID) -> Bool {
        let age = wallClock.now().milliseconds - id.bits.version7Time.milliseconds
        return (-Self.freshMilliseconds...Self.freshMilliseconds).contains(age)
    }
}
