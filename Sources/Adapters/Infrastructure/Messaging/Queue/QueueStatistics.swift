internal import Application
internal import EventLoop
package import Instrumentation
internal import RedisClient
internal import Time

/// Notified of Redis' `maxmemory-policy` with each reading, where the user may read it (INFO).
package protocol EvictionPolicyObserver {
    func observed(evictionPolicy: String)
}

/// Looks at the queue and at Redis' policy of eviction every few seconds, for metrics and readiness.
///
/// One call of bounded cost for each partition. Every replica sees the same; a time without Redis is a time without values.
/// Loop-owned; one for each process is enough.
package final class QueueStatistics {
    private static let period = Duration.seconds(5)
    /// Claimed jobs that are looked at, of each partition.
    private static let claimsMax = 100

    private let store: RedisStore
    private let metrics: QueueMetrics
    private let observer: (any EvictionPolicyObserver)?
    /// False once Redis has refused to tell: each refusal is an entry in its ACL LOG.
    private var mayAskForPolicy = true
    private var task: PeriodicTask?

    package init(store: RedisStore, metrics: QueueMetrics, observer: (any EvictionPolicyObserver)? = nil) {
        self.store = store
        self.metrics = metrics
        self.observer = observer
    }

    package func start() {
        task = PeriodicTask(every: Self.period, on: store.loop, runsImmediately: true) { await self.look() }
    }

    package func close() {
        task?.cancel()
        task = nil
    }

    func look() async {
        metrics.show(await levels())
        guard mayAskForPolicy, let policy = try? await store.evictionPolicy() else { return }
        if policy.isEmpty { mayAskForPolicy = false } else { observer?.observed(evictionPolicy: policy) }
    }

    /// The sum of all partitions, and the largest of their times; nil where one cannot be asked.
    private func levels() async -> QueueLevels? {
        var sum = QueueLevels()
        for partition in 0..<store.keys.partitions {
            guard let levels = await levels(of: partition) else { return nil }
            sum.add(levels)
        }
        return sum
    }

    private func levels(of partition: Int) async -> QueueLevels? {
        let keys = store.keys
        let reply = try? await store.call(
            .queueStatistics,
            keys: [keys.jobs(partition), keys.delayed(partition), keys.dead(partition), keys.waiting(partition)],
            [
                Keyspace.group, String(RedisMessageConsumer.releasedIdle.wholeMilliseconds), String(Self.claimsMax),
            ],
        )
        let numbers = (reply?.array ?? []).compactMap(\.integer)
        guard numbers.count == 7 else { return nil }
        return QueueLevels(
            waiting: numbers[0],
            claimed: numbers[1],
            delayed: numbers[2],
            dead: numbers[3],
            inConversationQueues: numbers[4],
            oldestWaiting: .milliseconds(numbers[5]),
            longestSilence: .milliseconds(numbers[6]),
        )
    }
}
