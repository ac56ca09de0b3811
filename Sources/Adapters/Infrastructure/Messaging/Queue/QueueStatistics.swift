internal import Application
internal import EventLoop
package import Instrumentation
internal import RedisClient

/// Reads the levels of the queue and the eviction policy of Redis every few seconds, for metrics and readiness.
///
/// One call of bounded cost per partition. Every replica reports the same values, and none while Redis is away.
/// Loop-owned; one per process is enough.
package final class QueueStatistics {
    private static let period = Duration.seconds(5)

    private let store: RedisStore
    private let metrics: QueueMetrics
    private let onEvictionPolicy: (String) -> Void
    /// False once Redis has refused the policy: each refusal is an entry in its ACL LOG.
    private var mayReadPolicy = true
    private var polling: Task<Void, Never>?

    /// `onEvictionPolicy` gets the `maxmemory-policy` of Redis each time, if the user may read it (INFO).
    package init(store: RedisStore, metrics: QueueMetrics, onEvictionPolicy: @escaping (String) -> Void = { _ in }) {
        self.store = store
        self.metrics = metrics
        self.onEvictionPolicy = onEvictionPolicy
    }

    package func start() {
        polling = store.loop.spawn {
            repeat { await self.refresh() } while (try? await self.store.loop.sleep(for: Self.period)) != nil
        }
    }

    package func close() {
        polling?.cancel()
        polling = nil
    }

    func refresh() async {
        metrics.show(await levels())
        guard mayReadPolicy else { return }
        // By a function: a direct INFO that is refused would count as a missing permission and close the connection.
        do {
            let policy = try await store.call(EvictionPolicyCall(in: 0, store.keys))
            if let policy { onEvictionPolicy(policy) } else { mayReadPolicy = false }
        } catch {
            return  // The next round reads it again.
        }
    }

    /// The sum of all partitions, and the maximum of their times; nil if a call fails.
    private func levels() async -> QueueLevels? {
        var sum = QueueLevels()
        for partition in 0..<store.keys.partitions {
            guard let levels = try? await store.call(QueueStatisticsCall(of: partition, store.keys)) else { return nil }
            sum.add(levels)
        }
        return sum
    }
}
