internal import Application
internal import Domain
internal import EventLoop
internal import RedisClient
internal import Shared
internal import Time

/// Reports to Redis which requests have viewers on this loop, of the requests that are cancelled without viewers.
///
/// ```
///  first viewer ─► renew_presence ─► every 2 s again ─► last viewer gone ─► remove_presence: the grace begins
///                                      └─► replica dead: 5 s after the last renewal the grace begins
/// ```
/// ``AbandonmentSweep`` cancels a request whose grace is over. Loop-owned.
package final class ViewerPresence {
    /// How long one report counts.
    static let lifetime = Duration.seconds(5)
    private static let periodMilliseconds: Int64 = 2000
    /// Requests in one call: more would keep Redis busy for too long.
    private static let batch = 100

    private let store: RedisStore
    private let watcher: String
    private let grace: Duration
    private let timeToLive: Duration
    /// How many feeds and waiting requests each has.
    private var watched: [CorrelationID: Int] = [:]
    private var refreshedAt: Int64 = 0
    private var isRefreshing = false

    /// `watcher` is a name that no other loop of any replica has; `grace` is how long a request may be without viewers,
    /// and `timeToLive` the expiry of the index of watched requests.
    package init(store: RedisStore, watcher: String, grace: Duration, timeToLive: Duration) {
        self.store = store
        self.watcher = watcher
        self.grace = grace
        self.timeToLive = timeToLive
    }

    /// A request has a viewer; ``end(_:)`` follows.
    func begin(_ id: CorrelationID) {
        watched[id, default: 0] += 1
        guard watched[id] == 1 else { return }
        store.loop.spawn { await self.renew([id], in: self.store.keys.partition(of: id)) }
    }

    /// The viewer is gone, or the request is over.
    func end(_ id: CorrelationID) {
        guard let count = watched[id] else { return }
        watched[id] = count > 1 ? count - 1 : nil
        if count == 1 { store.loop.spawn { await self.remove(id) } }
    }

    /// Renews the report on every watched request, when that is due.
    func refresh() {
        let now = store.loop.nowMilliseconds
        guard !watched.isEmpty, !isRefreshing, now - refreshedAt >= Self.periodMilliseconds else { return }
        refreshedAt = now
        isRefreshing = true
        store.loop.spawn { await self.renewAll() }
    }

    private func renewAll() async {
        defer { isRefreshing = false }
        for (partition, ids) in Dictionary(grouping: watched.keys, by: { store.keys.partition(of: $0) }) {
            for start in stride(from: 0, to: ids.count, by: Self.batch) {
                // Without those whose viewers have left since: a report after the removal would outlive them.
                let present = ids[start..<min(start + Self.batch, ids.count)].filter { watched[$0] != nil }
                if !present.isEmpty { await renew(present, in: partition) }
            }
        }
    }

    /// A failure is made up for by the next refresh.
    private func renew(_ ids: [CorrelationID], in partition: Int) async {
        let call = RenewPresenceCall(
            of: watcher,
            for: ids,
            in: partition,
            presence: Self.lifetime,
            grace: grace,
            timeToLive: timeToLive,
            store.keys,
        )
        try? await store.call(call)
    }

    /// A failure is made up for by the expiry of the last report.
    private func remove(_ id: CorrelationID) async {
        _ = try? await store.call(RemovePresenceCall(of: watcher, from: id, grace: grace, store.keys))
    }
}
