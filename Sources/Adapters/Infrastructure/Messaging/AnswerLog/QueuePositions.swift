internal import EventLoop
internal import RedisClient

/// Refreshes the queue positions of waiting requests, with one command for each partition and second.
final class QueuePositions {
    private static let periodMilliseconds: Int64 = 1000

    private let store: RedisStore
    /// Loop time in milliseconds.
    private var refreshedAt: Int64 = 0

    init(store: RedisStore) { self.store = store }

    /// Reads how many jobs have left each queue, if that is due, and lets the feeds report it to their viewers.
    func refresh(_ feeds: [AnswerFeed]) {
        let now = store.loop.nowMilliseconds
        guard !feeds.isEmpty, now - refreshedAt >= Self.periodMilliseconds else { return }
        refreshedAt = now
        for feed in feeds where feed.jobNumber == nil && feed.isJobNumberDue(now: now) { readJobNumber(of: feed) }
        for (partition, feeds) in Dictionary(grouping: feeds, by: { store.keys.partition(of: $0.id) }) {
            store.send(QueueStateCall(in: partition, store.keys)) { result in
                guard case .success(let state) = result else { return }
                for feed in feeds where feed.isQueued { feed.reportPosition(jobsTaken: state.delivered) }
            }
        }
    }

    /// Reads whether a request that waits in its conversation's queue has a job by now.
    private func readJobNumber(of feed: AnswerFeed) {
        let command = RedisCommand("HGET", store.keys.request(feed.id), RequestField.number.rawValue)
        store.connection(of: feed.id).send(command) { [weak feed] result in
            if case .success(let reply) = result, let number = reply.integer { feed?.didBecomeJob(number) }
        }
    }
}
