package import Application
package import Domain
internal import RedisClient
package import Shared

/// What Redis knows of conversations while something goes on in them: their newest turns, and what runs and waits.
package struct RedisConversations: ConversationMemory, ConversationActivity {
    private let store: RedisStore

    package init(store: RedisStore) { self.store = store }

    package func recall(_ conversation: ConversationID) async throws(RepositoryFailure) -> RecalledTurns {
        let reply = try await call(.recall, keys: turnKeys(of: conversation), []).array ?? []
        let fields = reply.last?.array?.compactMap(\.string) ?? []
        var turns: [ConversationTurn] = []
        for position in stride(from: 0, to: fields.count - 2, by: 3) {
            guard let id = CorrelationID(fields[position]) else { continue }
            turns.append(
                ConversationTurn(correlationID: id, problem: fields[position + 1], answer: fields[position + 2])
            )
        }
        return RecalledTurns(turns: turns, isWhole: reply.first?.integer == 1)
    }

    package func remember(
        _ turns: [ConversationTurn],
        of conversation: ConversationID
    ) async throws(RepositoryFailure) {
        let fields = turns.flatMap { [$0.correlationID.description, $0.problem, $0.answer] }
        _ = try await call(.remember, keys: turnKeys(of: conversation), [String(store.retention.turns)] + fields)
    }

    package func end(_ id: ConversationID, of user: UserID) async throws(RepositoryFailure) -> Bool {
        let stop = store.stopArguments(.conversationDeleted, in: store.keys.partition(of: id))
        let arguments = [Keyspace.group, user.text] + stop
        let reply = try await call(.close, keys: store.keys.scope(of: id), arguments).array ?? []
        store.tellEnds(.conversationDeleted, after: reply.dropFirst())
        return reply.first?.integer == 1
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
