package import Application
internal import Domain
internal import RedisClient
package import Shared
internal import Time

/// Erases what Redis has of accounts: the keys of conversations and requests, and dead letters.
///
/// Idempotency keys stay until they expire: they have digests and ids, and name no user.
package struct RedisQueueErasure: QueueErasure {
    /// Requests erased in one call; a call of this size keeps Redis busy for about two milliseconds.
    private static let requestsAtOnce = 100
    private static let lettersAtOnce = 100
    /// Keys scanned in one call; a call of this size keeps Redis busy for less than a millisecond.
    private static let keysAtOnce = 1000

    private let store: RedisStore

    package init(store: RedisStore) { self.store = store }

    package func erase(_ conversation: ErasedConversation) async throws(RepositoryFailure) -> Bool {
        var rest = conversation.requests[...]
        var running = 0
        repeat {
            let call = EraseConversationCall(
                conversation.id,
                of: conversation.user,
                requests: rest.prefix(Self.requestsAtOnce),
                store.keys,
                store.retention,
            )
            // Waiting requests end in steps, between which Redis serves other clients.
            var progress = try await available { () async throws(RedisError) in try await store.call(call) }
            store.report(progress.ended, .conversationDeleted)
            while progress.mustRepeat {
                progress = try await available { () async throws(RedisError) in try await store.call(call) }
                store.report(progress.ended, .conversationDeleted)
            }
            running += progress.running
            rest = rest.dropFirst(Self.requestsAtOnce)
        } while !rest.isEmpty
        return running == 0
    }

    // MARK: Strays

    /// Requests have the lane of their conversation, the last digits of both ids: of all keys few are looked into.
    package func eraseStrays(of conversations: [ErasedConversation]) async throws(RepositoryFailure) {
        let past = UnixTime.milliseconds - store.retention.deletions.wholeMilliseconds
        let recent = conversations.filter { ($0.deletedAt?.milliseconds ?? .min) > past }
        let lanes = Dictionary(grouping: recent, by: \.id.bits.lane)
        guard !lanes.isEmpty else { return }
        for server in store.servers {
            var cursor = "0"
            repeat {
                let page = try await scan(from: cursor, in: server.partitions[0])
                cursor = page.cursor
                for id in page.requests {
                    guard let candidates = lanes[id.bits.lane] else { continue }
                    try await erase(id, ofOneOf: candidates)
                }
            } while cursor != "0"
        }
    }

    private func scan(
        from cursor: String,
        in partition: Int
    ) async throws(RepositoryFailure) -> (cursor: String, requests: [CorrelationID]) {
        let command = RedisCommand("SCAN", cursor, "MATCH", store.keys.everyRequest, "COUNT", Self.keysAtOnce)
        let reply = try await available { () async throws(RedisError) in
            try await store.call(command, in: partition)
        }
        let keys = reply.array?.last?.array?.compactMap(\.string) ?? []
        return (reply.array?.first?.string ?? "0", keys.compactMap { CorrelationID($0.suffix(36)) })
    }

    private func erase(
        _ request: CorrelationID,
        ofOneOf conversations: [ErasedConversation]
    ) async throws(RepositoryFailure) {
        let command = RedisCommand("HGET", store.keys.request(request), RequestField.conversation.rawValue)
        let reply = try await available { () async throws(RedisError) in
            try await store.connection(of: request).call(command)
        }
        guard let conversation = conversations.first(where: { $0.id.description == reply.string }) else { return }
        _ = try await erase(ErasedConversation(id: conversation.id, user: conversation.user, requests: [request]))
    }

    // MARK: Dead letters

    package func eraseDeadLetters(of account: AccountID) async throws(RepositoryFailure) -> Bool {
        var isComplete = true
        for partition in 0..<store.keys.partitions {
            for stream in [store.keys.dead(partition), store.keys.finishedDead(partition)] {
                let isErased = try await eraseLetters(of: account, in: stream, partition)
                isComplete = isErased && isComplete
            }
        }
        return isComplete
    }

    private func eraseLetters(
        of account: AccountID,
        in stream: String,
        _ partition: Int
    ) async throws(RepositoryFailure) -> Bool {
        var isComplete = true
        var last: String?
        repeat {
            let call = ListLettersCall(
                naming: account,
                in: stream,
                of: partition,
                after: last,
                upTo: Self.lettersAtOnce
            )
            let page = try await available { () async throws(RedisError) in try await store.call(call) }
            for letter in page.letters {
                // First what it names: without the letter, nothing would lead there.
                guard try await eraseRequest(of: letter) else {
                    isComplete = false
                    continue
                }
                let drop = RedisCommand("XDEL", stream, letter.entry)
                _ = try await available { () async throws(RedisError) in try await store.call(drop, in: partition) }
            }
            last = page.last
        } while last != nil
        return isComplete
    }

    private func eraseRequest(of letter: NamingLetter) async throws(RepositoryFailure) -> Bool {
        guard let conversation = letter.conversation else { return true }
        let requests = letter.request.map { [$0] } ?? []
        return try await erase(ErasedConversation(id: conversation, user: letter.user, requests: requests))
    }

    // MARK: Records

    package func newestRecords() async throws(RepositoryFailure) -> RecordPlaces {
        var entries: [String] = []
        for partition in 0..<store.keys.partitions {
            let command = RedisCommand("XREVRANGE", store.keys.finished(partition), "+", "-", "COUNT", 1)
            entries.append(try await entry(command, in: partition) ?? "0-0")
        }
        return RecordPlaces(entries)
    }

    package func hasArchived(_ places: RecordPlaces) async throws(RepositoryFailure) -> Bool {
        for (partition, entry) in places.entries.enumerated() {
            // Archived records are deleted.
            let command = RedisCommand("XRANGE", store.keys.finished(partition), "-", entry, "COUNT", 1)
            if try await self.entry(command, in: partition) != nil { return false }
        }
        return true
    }

    /// The id of the first entry that a command returns.
    private func entry(_ command: RedisCommand, in partition: Int) async throws(RepositoryFailure) -> String? {
        let reply = try await available { () async throws(RedisError) in
            try await store.call(command, in: partition)
        }
        return reply.array?.first?.array?.first?.string
    }

    private func available<Reply>(
        _ call: () async throws(RedisError) -> Reply
    ) async throws(RepositoryFailure) -> Reply {
        do {
            return try await call()
        } catch {
            throw .unavailable
        }
    }
}
