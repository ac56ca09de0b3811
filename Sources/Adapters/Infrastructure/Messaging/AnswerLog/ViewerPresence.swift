internal import Application
internal import Domain
internal import EventLoop
internal import RedisClient
internal import Shared
internal import Time

/// Tells Redis which requests are watched on this loop, of those that end when nobody watches them.
///
/// ```
///  first viewer ─► attend ─► every 2 s attend ─► last viewer gone ─► leave: the grace begins
///                                   └─► replica dead: 5 s after its last word the grace begins
/// ```
/// Who finds the grace over is ``AbandonmentSweep``. Loop-owned.
package final class ViewerPresence {
    /// How long one word counts.
    static let lifetime = Duration.seconds(5)
    private static let periodMilliseconds: Int64 = 2000
    /// Requests told of in one call: more would keep Redis busy for too long.
    private static let batch = 100

    private let store: RedisStore
    private let watcher: String
    private let grace: Duration
    private let timeToLive: Duration
    private var watched: Set<CorrelationID> = []
    private var refreshedAt: Int64 = 0
    private var isRefreshing = false

    /// `watcher` is a name that no other loop of any replica has; `grace` is how long nobody may watch, and `timeToLive`
    /// the expiry of the index of watched requests.
    package init(store: RedisStore, watcher: String, grace: Duration, timeToLive: Duration) {
        self.store = store
        self.watcher = watcher
        self.grace = grace
        self.timeToLive = timeToLive
    }

    /// The first viewer of a request has come.
    func begin(_ id: CorrelationID) {
        watched.insert(id)
        store.loop.spawn { await self.attend([id], in: self.store.keys.partition(of: id)) }
    }

    /// The last viewer of a request has gone, or the request is over.
    func end(_ id: CorrelationID) {
        guard watched.remove(id) != nil else { return }
        store.loop.spawn { await self.leave(id) }
    }

    /// Repeats the word for all that is watched, when it is time.
    func refresh() {
        let now = store.loop.nowMilliseconds
        guard !watched.isEmpty, !isRefreshing, now - refreshedAt >= Self.periodMilliseconds else { return }
        refreshedAt = now
        isRefreshing = true
        store.loop.spawn { await self.repeatAll() }
    }

    private func repeatAll() async {
        defer { isRefreshing = false }
        for (partition, ids) in Dictionary(grouping: watched, by: { store.keys.partition(of: $0) }) {
            for start in stride(from: 0, to: ids.count, by: Self.batch) {
                // Without those who have left since: the word would outlive them.
                let present = ids[start..<min(start + Self.batch, ids.count)].filter { watched.contains($0) }
                if !present.isEmpty { await attend(present, in: partition) }
            }
        }
    }

    /// What fails is made good by the next refresh.
    private func attend(_ ids: [CorrelationID], in partition: Int) async {
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

    /// What fails is made good by the expiry of the last word.
    private func leave(_ id: CorrelationID) async {
        _ = try? await store.call(RemovePresenceCall(of: watcher, from: id, grace: grace, store.keys))
    }
}
