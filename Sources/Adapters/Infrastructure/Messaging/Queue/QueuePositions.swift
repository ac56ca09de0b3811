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
        for feed in feeds where feed.jobNumber == nil && feed.isJobQuestionDue(now: now) { askForJob(feed) }
        let partitions = Dictionary(grouping: feeds) { store.keys.partition(of: $0.id) }
        for (partition, feeds) in partitions {
            let command = RedisCommand(
                "FCALL",
                store.functions.name(of: .queueState),
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

    /// Asks whether a request still waits for another of its conversation.
    private func askForJob(_ feed: AnswerFeed) {
        let command = RedisCommand("HGET", store.keys.request(feed.id), RequestField.number.rawValue)
        store.commander.send(command, deadline: RedisStore.commandDeadline) { [weak feed] result in
            if case .success(let reply) = result, let number = reply.integer { feed?.becameJob(number) }
        }
    }
}
