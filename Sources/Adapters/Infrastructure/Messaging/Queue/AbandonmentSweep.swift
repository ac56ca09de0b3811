internal import Application
internal import Domain
internal import EventLoop
internal import RedisClient
internal import Shared
internal import Time

/// Cancels the requests whose last viewer has been gone for the grace period (`onDisconnect: cancel`).
///
/// Every replica sweeps, so that none is missed when one dies; Redis decides once per request. After an outage of Redis the
/// stored presences are out of date, because no replica could renew them, and after a jump of its clock they are too old:
/// then nothing is cancelled until every replica has had the time to renew them. Loop-owned; one per process is enough.
package final class AbandonmentSweep {
    private static let period = Duration.milliseconds(500)
    /// In milliseconds: a longer outage of Redis, pause of this process, or jump of the clock makes the presences out of date.
    private static let gapMax: Int64 = 3000
    private static let batch = 100

    private struct Contact {
        /// Loop times in milliseconds.
        var lastReplyAt: Int64?
        /// The clock of Redis at loop time 0.
        var clock: Int64 = 0
        var trustedFrom: Int64 = 0
    }

    private let store: RedisStore
    private let grace: Duration
    private var contacts: [Contact]
    private var task: PeriodicTask?

    package init(
        store: RedisStore,
        grace: Duration
    ) {
        self.store = store
        self.grace = grace
        contacts = Array(repeating: Contact(), count: store.keys.partitions)
    }

    package func start() {
        task = PeriodicTask(every: Self.period, on: store.loop, runsImmediately: true) {
            for partition in self.contacts.indices { await self.sweep(partition) }
        }
    }

    /// True once every partition has replied.
    var hasSwept: Bool { contacts.allSatisfy { $0.lastReplyAt != nil } }

    package func close() {
        task?.cancel()
        task = nil
    }

    private func sweep(_ partition: Int) async {
        guard let page = try? await store.call(ListAbandonedCall(in: partition, upTo: Self.batch, store.keys)) else {
            return
        }
        let now = store.loop.nowMilliseconds
        let contact = contacts[partition]
        contacts[partition].lastReplyAt = now
        contacts[partition].clock = Int64(page.time) - now
        let isRecent = contact.lastReplyAt.map { now - $0 <= Self.gapMax } ?? false
        if page.watched > 0, !isRecent || abs(contacts[partition].clock - contact.clock) > Self.gapMax {
            contacts[partition].trustedFrom = now + (ViewerPresence.lifetime + grace).wholeMilliseconds
        }
        guard now >= contacts[partition].trustedFrom else { return }
        for id in page.abandoned { await cancel(id) }
    }

    /// The next sweep repeats what fails.
    private func cancel(_ id: CorrelationID) async {
        let keys = store.keys
        let command = RedisCommand("HGET", keys.request(id), RequestField.conversation.rawValue)
        let stored = try? await store.connection(of: id).call(command).string
        // Of an expired request nothing is cancelled, so any conversation will do.
        let conversation = stored.flatMap { ConversationID($0) } ?? ConversationID(bits: id.bits)
        switch try? await store.call(CancelAbandonedCall(id, of: conversation, keys, store.retention)) {
        case .ended(let age):
            store.report(EndedRequests(count: 1, ageSum: age), .disconnected)
            store.publish(RequestAbandoned(correlationID: id))
        case .over, .asked: store.publish(RequestAbandoned(correlationID: id))
        case .unknown, .watched, nil: break
        }
    }
}
