internal import EventLoop
internal import RedisClient

/// Keeps the places in line of queued requests up to date, with one question to Redis per partition and second.
final class QueuePositions {
    private static let periodMilliseconds: Int64 = 1000

    private let store: RedisStore
    private var askedAt: Int64 = 0

    init(store: RedisStore) { self.store = store }

    /// Asks how many jobs have been taken, if it is time, and lets the feeds tell their viewers.
    func refresh(_ feeds: [AnswerFeed]) {
        let now = store.loop.nowMilliseconds
        guard !feeds.isEmpty, now - askedAt >= Self.periodMilliseconds else { return }
        askedAt = now
        let partitions = Dictionary(grouping: feeds) { store.keys.partition(of: $0.id) }
        for (partition, feeds) in partitions {
            let command = RedisCommand("XINFO", "GROUPS", store.keys.jobs(partition))
            store.commander.send(command, deadline: RedisStore.commandDeadline) { result in
                guard case .success(let reply) = result, let read = Self.entriesRead(reply) else { return }
                for feed in feeds where feed.isQueued { feed.tellPosition(jobsRead: read) }
            }
        }
    }

    /// `entries-read` of the workers' group (XINFO GROUPS); nil where Redis has lost count.
    private static func entriesRead(_ reply: RedisValue) -> Int? {
        for group in reply.array ?? [] {
            let fields = group.array ?? []
            var values: [String: RedisValue] = [:]
            for position in stride(from: 0, to: fields.count - 1, by: 2) {
                if let name = fields[position].string { values[name] = fields[position + 1] }
            }
            if values["name"]?.string == Keyspace.group { return values["entries-read"]?.integer }
        }
        return nil
    }
}
