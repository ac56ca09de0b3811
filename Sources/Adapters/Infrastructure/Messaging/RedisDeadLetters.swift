package import Application
internal import Domain
internal import RedisClient
package import Shared

/// The dead-letter streams of all partitions.
package struct RedisDeadLetters: DeadLetterRepository {
    private let store: RedisStore

    package init(store: RedisStore) { self.store = store }

    package func list(upTo count: Int) async throws(RepositoryFailure) -> [DeadLetter] {
        var letters: [DeadLetter] = []
        for partition in 0..<store.keys.partitions {
            let command = RedisCommand("XRANGE", store.keys.dead(partition), "-", "+", "COUNT", count)
            letters += try await call(command).array?.compactMap { letter($0, in: partition) } ?? []
        }
        return Array(letters.sorted { $0.buriedAt < $1.buriedAt }.prefix(count))
    }

    package func request(of letter: DeadLetterName) async throws(RepositoryFailure) -> CorrelationID? {
        try await fields(of: letter)?["id"].flatMap { CorrelationID($0) }
    }

    /// Nil for an unknown letter.
    private func fields(of letter: DeadLetterName) async throws(RepositoryFailure) -> [String: String]? {
        let key = store.keys.dead(letter.partition)
        let entries = try await call(RedisCommand("XRANGE", key, letter.entry, letter.entry)).array ?? []
        return entries.first?.array?.last?.fields
    }

    package func redrive(
        _ letter: DeadLetterName,
        as id: CorrelationID
    ) async throws(RepositoryFailure) -> RedriveResult {
        let keys = store.keys
        guard letter.partition < keys.partitions, let fields = try await fields(of: letter) else { return .unknown }
        guard let conversation = fields["conversation"].flatMap({ ConversationID($0) }),
            keys.partition(of: id) == letter.partition, keys.partition(of: conversation) == letter.partition
        else { return .unreadable }
        do {
            let reply = try await store.call(
                .redrive,
                keys: keys.scope(of: conversation) + [keys.dead(letter.partition)],
                [
                    Keyspace.group, letter.entry, id.description, String(store.retention.live.wholeMilliseconds),
                    EventData.queuedPrefix(id, in: conversation),
                ],
            )
            switch reply.string {
            case "redriven": return .redriven
            case "unreadable": return .unreadable
            case "deleted": return .conversationDeleted
            default: return .unknown
            }
        } catch {
            throw .unavailable
        }
    }

    package func drop(_ letter: DeadLetterName) async throws(RepositoryFailure) -> Bool {
        try await call(RedisCommand("XDEL", store.keys.dead(letter.partition), letter.entry)).integer == 1
    }

    private func call(_ command: RedisCommand) async throws(RepositoryFailure) -> RedisValue {
        do {
            return try await store.call(command)
        } catch {
            throw .unavailable
        }
    }

    private func letter(_ entry: RedisValue, in partition: Int) -> DeadLetter? {
        guard let parts = entry.array, parts.count == 2, let name = parts[0].string,
            let milliseconds = name.split(separator: "-").first.flatMap({ Int64($0) })
        else { return nil }
        let fields = parts[1].fields
        let failure = fields["errorKind"].flatMap { ProblemKind(rawValue: $0) }.map {
            RequestFailure(kind: $0, detail: fields["errorDetail"] ?? "")
        }
        return DeadLetter(
            name: DeadLetterName(partition: partition, entry: name),
            buriedAt: Timestamp(milliseconds: milliseconds),
            reason: fields["reason"] ?? "unknown",
            correlationID: fields["id"].flatMap { CorrelationID($0) },
            attempts: fields["attempts"].flatMap { Int($0) } ?? 0,
            lastFailure: failure,
            origin: fields["entry"] ?? "",
            redriveOf: fields["redriveOf"].flatMap { CorrelationID($0) },
        )
    }
}
