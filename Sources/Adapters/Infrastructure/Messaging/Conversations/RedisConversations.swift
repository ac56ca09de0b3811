package import Application
package import Domain
internal import RedisClient
package import Shared

/// What Redis stores of active conversations: their newest turns, and their running and waiting requests.
package struct RedisConversations: ConversationMemory, ConversationActivity {
    private let store: RedisStore

    package init(store: RedisStore) { self.store = store }

    package func turns(of conversation: ConversationID) async throws(RepositoryFailure) -> KnownTurns {
        do {
            return try await store.call(ReadTurnsCall(of: conversation, store.keys))
        } catch {
            // If a key has another type, the archive has the turns.
            if case .server(let answer) = error, answer.isPermanent { return KnownTurns(turns: [], isWhole: false) }
            throw .unavailable
        }
    }

    package func restoreTurns(
        _ turns: [ConversationTurn],
        of conversation: ConversationID
    ) async throws(RepositoryFailure) {
        do {
            _ = try await store.call(RestoreTurnsCall(turns, of: conversation, store.keys, store.retention))
        } catch {
            throw .unavailable
        }
    }

    package func beginDeletion(
        of id: ConversationID,
        by user: UserID,
        isArchived: Bool
    ) async throws(RepositoryFailure) -> Bool {
        let call = BeginDeletionCall(of: id, by: user, isArchived: isArchived, store.keys, store.retention)
        do {
            while true {
                let progress = try await store.call(call)
                store.report(progress.ended, .conversationDeleted)
                // Waiting requests end in steps, between which Redis serves other clients.
                if !progress.mustRepeat { return progress.isKnown }
            }
        } catch {
            throw .unavailable
        }
    }

    package func recent(_ id: ConversationID, of user: UserID) async throws(RepositoryFailure) -> RecentConversation {
        let command = RedisCommand("HMGET", store.keys.conversation(id), "user", "deleted")
        let fields: [RedisValue]
        do {
            fields = try await store.call(command, in: store.keys.partition(of: id)).array ?? []
        } catch {
            throw .unavailable
        }
        if fields.last?.string == user.text { return .deleted }
        return fields.first?.string == user.text ? .known : .unknown
    }
}
