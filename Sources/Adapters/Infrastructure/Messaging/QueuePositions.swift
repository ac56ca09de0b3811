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
            let command = RedisCommand(
                "FCALL",
                store.functions.name(of: .queue),
                1,
                store.keys.jobs(partition),
                Keyspace.group,
            )
            store.commander.send(command, deadline: RedisStore.commandDeadline) { result in
                guard case .success(let reply) = result, let given = reply.array?.first?.integer else { return }
                for feed in feeds where feed.isQueued { feed.tellPosition(jobsGiven: given) }
            }
        }
    }
}
