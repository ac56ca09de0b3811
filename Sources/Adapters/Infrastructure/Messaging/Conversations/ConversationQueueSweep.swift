internal import Application
internal import EventLoop
internal import RedisClient
internal import Shared

/// Renews the waiting requests of busy conversations, and starts the next one if the active request ended without notice,
/// by expiry or with lost data.
///
/// Normally the end of a request starts the next one. Every replica of the workers sweeps; Redis decides. Loop-owned; one
/// per process is enough.
package final class ConversationQueueSweep {
    private static let period = Duration.seconds(1)
    /// Requests not renewed for so long are due.
    private static let dueAfter = Duration.seconds(2)
    private static let batch = 100

    private let store: RedisStore
    private var task: PeriodicTask?

    package init(store: RedisStore) { self.store = store }

    package func start() {
        task = PeriodicTask(every: Self.period, on: store.loop) { await self.sweep() }
    }

    package func close() {
        task?.cancel()
        task = nil
    }

    /// The next sweep repeats what fails.
    func sweep(dueAfter: Duration = ConversationQueueSweep.dueAfter) async {
        for partition in 0..<store.keys.partitions {
            let due = ListWaitingCall(in: partition, notRenewedFor: dueAfter, upTo: Self.batch, store.keys)
            for request in (try? await store.call(due)) ?? [] { await renew(request) }
        }
    }

    private func renew(_ request: WaitingRequest) async {
        let expired = try? await store.call(RenewWaitingCall(request, store.keys, store.retention))
        for _ in 0..<(expired ?? 0) { store.publish(RequestEndedWithoutWorker.expired) }
    }
}
