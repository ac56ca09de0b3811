package import Application
package import Domain
internal import RedisClient
package import Shared
internal import Time

/// What Redis knows of conversations while something goes on in them: their newest turns, and what runs and waits.
package struct RedisConversations: ConversationMemory, ConversationActivity {
    /// What follows the id of a turn whose answer has no end.
    private static let partial = " partial"

    private let store: RedisStore

    package init(store: RedisStore) { self.store = store }

    package func turns(of conversation: ConversationID) async throws(RepositoryFailure) -> KnownTurns {
        let reply: [RedisValue]
        do {
            reply = try await store.call(.readTurns, keys: turnKeys(of: conversation), [] as [String]).array ?? []
        } catch {
            // Where something else has taken the place of a key, the archive knows the turns.
            if case .server(let answer) = error, answer.isPermanent { return KnownTurns(turns: [], isWhole: false) }
            throw .unavailable
        }
        let fields = reply.last?.array?.compactMap(\.string) ?? []
        var turns: [ConversationTurn] = []
        for position in stride(from: 0, to: fields.count - 2, by: 3) {
            let name = fields[position]
            guard let id = CorrelationID(name.prefix(36)) else { continue }
            turns.append(
                ConversationTurn(
                    correlationID: id,
                    problem: fields[position + 1],
                    answer: fields[position + 2],
                    isPartial: name.hasSuffix(Self.partial),
                )
            )
        }
        return KnownTurns(turns: turns, isWhole: reply.first?.integer == 1)
    }

    package func restoreTurns(
        _ turns: [ConversationTurn],
        of conversation: ConversationID
    ) async throws(RepositoryFailure) {
        let fields = turns.flatMap { turn in
            [turn.correlationID.description + (turn.isPartial ? Self.partial : ""), turn.problem, turn.answer]
        }
        let bounds = [String(store.retention.turns), String(store.retention.turnBytes)]
        _ = try await call(.restoreTurns, keys: turnKeys(of: conversation), bounds + fields)
    }

    package func beginDeletion(
        of id: ConversationID,
        by user: UserID,
        isArchived: Bool
    ) async throws(RepositoryFailure) -> Bool {
        let arguments =
            [Keyspace.group, user.text, isArchived ? "1" : "0", String(store.retention.deletions.wholeMilliseconds)]
            + store.stopArguments(.conversationDeleted, in: store.keys.partition(of: id))
        while true {
            let reply = try await call(.beginDeletion, keys: store.keys.scope(of: id), arguments).array ?? []
            guard reply.count == 4 else { throw .unavailable }
            store.publishCancelled(.conversationDeleted, reply[1], sum: reply[2])
            // What waits is ended in steps, between which Redis serves others.
            if reply[3].integer != 1 { return reply[0].integer == 1 }
        }
    }

    package func isDeleted(_ id: ConversationID, by user: UserID) async throws(RepositoryFailure) -> Bool {
        do {
            return try await store.call(RedisCommand("HGET", store.keys.conversation(id), "deleted")).string
                == user.text
        } catch {
            throw .unavailable
        }
    }

    private func turnKeys(of id: ConversationID) -> [String] {
        [store.keys.conversation(id), store.keys.turns(id)]
    }

    private func call(
        _ function: FunctionLibrary.Function,
        keys: [String],
        _ arguments: [String]
    ) async throws(RepositoryFailure) -> RedisValue {
        do {
            return try await store.call(function, keys: keys, arguments)
        } catch {
            throw .unavailable
        }
    }
}
