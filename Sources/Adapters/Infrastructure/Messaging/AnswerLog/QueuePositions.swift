internal import EventLoop

/// Refreshes the queue positions of waiting requests, every second.
final class QueuePositions {
    private static let periodMilliseconds: Int64 = 1000
    /// Requests in one call, which keeps Redis busy for about 0.1 ms.
    private static let requestsMax = 100

    private let store: RedisStore
    /// Loop time in milliseconds.
    private var refreshedAt: Int64 = 0

    init(store: RedisStore) { self.store = store }

    /// Reads how many jobs have left each queue, if that is due, and lets the feeds report it to their viewers.
    ///
    /// One call for each partition with requests that have jobs, and one for each hundred requests that wait for their
    /// conversations.
    func refresh(_ feeds: [AnswerFeed]) {
        let now = store.loop.nowMilliseconds
        guard !feeds.isEmpty, now - refreshedAt >= Self.periodMilliseconds else { return }
        refreshedAt = now
        for (partition, feeds) in Dictionary(grouping: feeds, by: { store.keys.partition(of: $0.id) }) {
            let jobs = feeds.filter { $0.jobNumber != nil }
            if !jobs.isEmpty { refresh(jobs: jobs, in: partition) }
            let others = feeds.filter { $0.jobNumber == nil }
            for start in stride(from: 0, to: others.count, by: Self.requestsMax) {
                refresh(others: Array(others[start..<min(start + Self.requestsMax, others.count)]), in: partition)
            }
        }
    }

    private func refresh(jobs feeds: [AnswerFeed], in partition: Int) {
        store.send(QueueStateCall(in: partition, store.keys)) { result in
            guard case .success(let state) = result else { return }
            for feed in feeds where feed.isQueued { feed.reportPosition(jobsTaken: state.delivered) }
        }
    }

    /// Finds requests that waited for their conversation when they were last seen: in its queue, or by now as jobs.
    private func refresh(others feeds: [AnswerFeed], in partition: Int) {
        let call = WaitingPlacesCall(of: feeds.map(\.request), in: partition, store.keys)
        store.send(call) { result in
            guard case .success(let reply) = result else { return }
            for (feed, place) in zip(feeds, reply.places) where feed.isQueued {
                switch place {
                case .job(let number):
                    feed.didBecomeJob(number)
                    feed.reportPosition(jobsTaken: reply.queue.delivered)
                case .line(let place): feed.report(position: reply.queue.waiting + place)
                case .nowhere: break
                }
            }
        }
    }
}
