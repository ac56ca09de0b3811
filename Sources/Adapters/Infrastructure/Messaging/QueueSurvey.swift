internal import Application
internal import EventLoop
package import Instrumentation
internal import RedisClient

/// Looks at the queue every few seconds, for the metrics.
///
/// One call of bounded cost for each partition. Every replica sees the same; a time without Redis is a time without values.
/// Loop-owned; one for each process is enough.
package final class QueueSurvey {
    private static let period = Duration.seconds(5)
    /// Claimed jobs that are looked at, of each partition.
    private static let claimsMax = 100

    private let store: RedisStore
    private let metrics: QueueMetrics
    private var looking: Task<Void, Never>?

    package init(store: RedisStore, metrics: QueueMetrics) {
        self.store = store
        self.metrics = metrics
    }

    package func start() {
        looking = store.loop.spawn {
            repeat { await self.look() } while (try? await self.store.loop.sleep(for: Self.period)) != nil
        }
    }

    package func close() {
        looking?.cancel()
        looking = nil
    }

    func look() async { metrics.show(await levels()) }

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
            .survey,
            keys: [keys.jobs(partition), keys.delayed(partition), keys.dead(partition), keys.waiting(partition)],
            [
                Keyspace.group, String(RedisMessageConsumer.handedBackIdle.wholeMilliseconds), String(Self.claimsMax),
            ],
        )
        let numbers = (reply?.array ?? []).compactMap(\.integer)
        guard numbers.count == 7 else { return nil }
        return QueueLevels(
            waiting: numbers[0],
            claimed: numbers[1],
            delayed: numbers[2],
            dead: numbers[3],
            inLine: numbers[4],
            oldestWaiting: .milliseconds(numbers[5]),
            longestSilence: .milliseconds(numbers[6]),
        )
    }
}
