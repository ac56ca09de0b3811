internal import Application
internal import EventLoop
internal import RedisClient
internal import Shared
internal import Time

/// Looks after the lines of busy conversations, which go on by themselves with the end of each request: should one have
/// ended without a word, by its expiry or with lost data, the next begins.
///
/// Every replica of the workers sweeps; Redis decides. Loop-owned; one for each process is enough.
package final class ConversationQueueSweep {
    private static let period = Duration.seconds(1)
    /// Requests nobody has looked after for so long are due.
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

    /// What fails is done by the next sweep.
    func sweep(dueAfter: Duration = ConversationQueueSweep.dueAfter) async {
        for partition in 0..<store.keys.partitions {
            let due = [String(dueAfter.wholeMilliseconds), String(Self.batch)]
            let reply = try? await store.call(.listWaiting, keys: [store.keys.waiting(partition)], due)
            for member in reply?.array ?? [] { await lookAfter(member) }
        }
    }

    private func lookAfter(_ member: RedisValue) async {
        let words = member.string?.split(separator: " ") ?? []
        guard words.count == 2, let conversation = ConversationID(words[0]) else { return }
        let expired = try? await store.call(
            .renewWaiting,
            keys: store.keys.scope(of: conversation),
            [Keyspace.group, String(words[1]), String(store.retention.live.wholeMilliseconds)],
        ).integer
        for _ in 0..<(expired ?? 0) { store.publish(RequestEndedWithoutWorker.expired) }
    }
}
