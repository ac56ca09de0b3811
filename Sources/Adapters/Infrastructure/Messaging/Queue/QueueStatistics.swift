internal import Application
internal import EventLoop
package import Instrumentation
internal import RedisClient

/// Notified of the `maxmemory-policy` of Redis with each reading, if the user may read it (INFO).
package protocol EvictionPolicyObserver {
    func observed(evictionPolicy: String)
}

/// Reads the levels of the queue and the eviction policy of Redis every few seconds, for metrics and readiness.
///
/// One call of bounded cost per partition. Every replica reports the same values, and none while Redis is away.
/// Loop-owned; one per process is enough.
package final class QueueStatistics {
    private static let period = Duration.seconds(5)

    private let store: RedisStore
    private let metrics: QueueMetrics
    private let observer: (any EvictionPolicyObserver)?
    /// False once Redis has refused the policy: each refusal is an entry in its ACL LOG.
    private var mayReadPolicy = true
    private var task: PeriodicTask?

    package init(store: RedisStore, metrics: QueueMetrics, observer: (any EvictionPolicyObserver)? = nil) {
        self.store = store
        self.metrics = metrics
        self.observer = observer
    }

    package func start() {
        task = PeriodicTask(every: Self.period, on: store.loop, runsImmediately: true) { await self.refresh() }
    }

    package func close() {
        task?.cancel()
        task = nil
    }

    func refresh() async {
        metrics.show(try? await RedisQueueLevels(store: store).levels())
        guard mayReadPolicy else { return }
        // By a function: a direct INFO that is refused would count as a missing permission and close the connection.
        do {
            let policy = try await store.call(EvictionPolicyCall(in: 0, store.keys))
            if let policy { observer?.observed(evictionPolicy: policy) } else { mayReadPolicy = false }
        } catch {
            return  // The next round reads it again.
        }
    }
}
