internal import Application
internal import Domain
internal import EventLoop
internal import RedisClient
internal import Shared
internal import Time

/// Cancels the requests whose last viewer has been gone for the grace (`onDisconnect: cancel`).
///
/// Every replica sweeps, so that whoever dies is replaced; Redis decides, once, for each request. After a time in which
/// Redis could not be reached, viewers could not be told of either, and after a jump of its clock what they said is too
/// old: nothing is cancelled until all have had time to be told of.
/// Loop-owned; one for each process is enough.
package final class AbandonmentSweep {
    private static let period = Duration.milliseconds(500)
    /// A longer silence of Redis, sleep of this process, or jump of Redis' clock makes what is stored doubtful.
    private static let gapMax: Int64 = 3000
    private static let batch = 100

    private struct Contact {
        /// Loop times in milliseconds.
        var heardAt: Int64?
        /// What Redis' clock shows at loop time 0.
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

    /// True once Redis has been asked everywhere.
    var hasLooked: Bool { contacts.allSatisfy { $0.heardAt != nil } }

    package func close() {
        task?.cancel()
        task = nil
    }

    private func sweep(_ partition: Int) async {
        let reply = try? await store.call(.listAbandoned, keys: [store.keys.watched(partition)], [String(Self.batch)])
        guard let answer = reply?.array, answer.count >= 2, let known = answer[0].integer, let time = answer[1].integer
        else { return }
        let now = store.loop.nowMilliseconds
        let contact = contacts[partition]
        contacts[partition].heardAt = now
        contacts[partition].clock = Int64(time) - now
        let wasHeard = contact.heardAt.map { now - $0 <= Self.gapMax } ?? false
        if known > 0, !wasHeard || abs(contacts[partition].clock - contact.clock) > Self.gapMax {
            contacts[partition].trustedFrom = now + (ViewerPresence.lifetime + grace).wholeMilliseconds
        }
        guard now >= contacts[partition].trustedFrom else { return }
        for id in answer.dropFirst(2).compactMap({ $0.string.flatMap { CorrelationID($0) } }) { await abandon(id) }
    }

    /// What fails is found again by the next sweep.
    private func abandon(_ id: CorrelationID) async {
        let keys = store.keys
        let partition = keys.partition(of: id)
        let field = RequestField.conversation.rawValue
        let stored = try? await store.call(RedisCommand("HGET", keys.request(id), field)).string
        // Nothing is done about one that has expired, so that it may pass for any conversation's.
        let conversation = stored.flatMap { ConversationID($0) } ?? ConversationID(bits: id.bits)
        let reply = try? await store.call(
            .cancelAbandoned,
            keys: keys.scope(of: conversation) + [keys.watched(partition), keys.viewers(id)],
            [Keyspace.group, id.description] + store.stopArguments(.disconnected, in: partition),
        )
        if let answer = reply?.array, answer.count == 2 {
            store.publishCancelled(.disconnected, .integer(1), sum: answer[1])
        }
        switch reply?.array?.first?.string {
        case "ended", "over", "asked": store.publish(RequestAbandoned(correlationID: id))
        case _: break
        }
    }
}
