internal import EventLoop
internal import RedisClient

/// Updates the queue positions of waiting requests, with one call per partition and second.
final class QueuePositions {
    private static let periodMilliseconds: Int64 = 1000

    private let store: RedisStore
    /// Loop time in milliseconds.
    private var refreshedAt: Int64 = 0

    init(store: RedisStore) { self.store = store }

    /// Reads how many jobs have been delivered, if it is time, and lets the feeds report to their viewers.
    func refresh(_ feeds: [AnswerFeed]) {
        let now = store.loop.nowMilliseconds
        guard !feeds.isEmpty, now - refreshedAt >= Self.periodMilliseconds else { return }
        refreshedAt = now
        for feed in feeds where feed.jobNumber == nil && feed.isJobQuestionDue(now: now) { readJobNumber(of: feed) }
        for (partition, feeds) in Dictionary(grouping: feeds, by: { store.keys.partition(of: $0.id) }) {
            store.send(QueueStateCall(in: partition, store.keys)) { result in
                guard case .success(let state) = result else { return }
                for feed in feeds where feed.isQueued { feed.tellPosition(jobsGiven: state.delivered) }
            }
        }
    }

    /// Reads whether a request still waits in the queue of its conversation.
    private func readJobNumber(of feed: AnswerFeed) {
        let command = RedisCommand("HGET", store.keys.request(feed.id), RequestField.number.rawValue)
        store.connection(of: feed.id).send(command) { [weak feed] result in
            if case .success(let reply) = result, let number = reply.integer { feed?.becameJob(number) }
        }
    }
}
