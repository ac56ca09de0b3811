package import Application
package import Domain
internal import EventLoop
internal import RedisClient
internal import Shared

/// Serves the event logs in Redis to the viewers of one loop.
///
/// All viewers of a request share one subscription to its live channel. Pushed events are merged by id with stored ones: a
/// viewer first reads what is stored, then takes pushes, and reads again where the ids show a gap.
/// ```
///  watch ─► subscribe ─► XRANGE from the cursor ─► live ──push──► deliver
///                              ▲                    │ gap, reconnect, 2 s of silence and behind
///                              ├────────────────────┘
///                              │                    │ viewer has no room
///                              └── resume() ◄── stalled
/// ```
package final class RedisAnswerLogReader: AnswerLogReader {
    /// How often feeds are checked.
    private static let tick = Duration.milliseconds(500)
    static let subscribeDeadline = Duration.seconds(5)

    let store: RedisStore
    let backoff: Backoff
    /// After this time without a push or an answer, a feed asks Redis; in milliseconds of loop time.
    var silenceMilliseconds: Int64 = 2000
    /// Nil before ``begin(_:)`` and after ``close()``.
    private(set) var subscriber: (any PartitionSubscriber)?
    private let presence: ViewerPresence?
    private let positions: QueuePositions
    /// The requests that are watched on this loop.
    private(set) var feeds: [CorrelationID: AnswerFeed] = [:]
    private var ticker: LoopTimer?

    /// `presence` reports this loop's viewers to the other replicas.
    init(store: RedisStore, backoff: Backoff, presence: ViewerPresence?) {
        self.store = store
        self.backoff = backoff
        self.presence = presence
        positions = QueuePositions(store: store)
        ticker = store.loop.schedule(every: Self.tick) { [weak self] in self?.checkFeeds() }
    }

    func begin(_ subscriber: any PartitionSubscriber) { self.subscriber = subscriber }

    /// Ends all deliveries without a report to the viewers.
    func close() {
        ticker?.close()
        ticker = nil
        for feed in feeds.values { feed.close() }
        feeds = [:]
        subscriber = nil
    }

    // MARK: AnswerLogReader

    package func watch(
        _ record: RequestRecord,
        from start: AnswerStart,
        viewer: any AnswerViewer
    ) -> any AnswerSubscription {
        let watched = WatchedRequest(request: record.request, status: record.status, jobNumber: record.jobNumber)
        let feed = feed(of: watched)
        let cursor =
            switch start {
            case .first, .reset: EventID.beginning
            case .after(let id): id
            }
        if start == .reset { viewer.deliver(EventData.reset) }
        let place = ViewerCursor(feed: feed, viewer: viewer, cursor: cursor)
        feed.add(place)
        return place
    }

    package func watch(_ accepted: AcceptedRequest, viewer: any AnswerViewer) -> any AnswerSubscription {
        let request = accepted.request
        let feed = feed(of: WatchedRequest(request: request, status: .queued, jobNumber: accepted.jobNumber))
        let cursor = ViewerCursor(feed: feed, viewer: viewer, cursor: .beginning)
        cursor.deliverQueued(EventData.queued(request, position: accepted.position))
        feed.add(cursor)
        return cursor
    }

    package func replay(of finished: FinishedRequest, from start: ReplayStart) -> [AnswerEvent] {
        let ids = finished.replayIDs
        var events: [AnswerEvent] = start == .reset ? [EventData.reset] : []
        if start != .end, !finished.answer.isEmpty {
            events.append(AnswerEvent(id: ids.before, name: .token, data: EventData.text(finished.answer)))
        }
        if let end = EventData.terminal(finished) {
            events.append(AnswerEvent(id: ids.end, name: end.name, data: end.data))
        }
        return events
    }

    // MARK: Feeds

    private func feed(of watched: WatchedRequest) -> AnswerFeed {
        let id = watched.request.correlationID
        if let feed = feeds[id] { return feed }
        let feed = AnswerFeed(watched, reader: self)
        feeds[id] = feed
        feed.subscribe()
        if feed.isPresent { presence?.begin(id) }
        return feed
    }

    /// Called by a feed without viewers.
    func close(_ feed: AnswerFeed) {
        guard feeds[feed.id] === feed else { return }
        feeds[feed.id] = nil
        subscriber?.unsubscribe(from: feed.channel, in: store.keys.partition(of: feed.id))
        if feed.isPresent { presence?.end(feed.id) }
    }

    private func checkFeeds() {
        let now = store.loop.nowMilliseconds
        for feed in feeds.values { feed.retry(now: now) }
        SilenceProbe(store: store).send(for: feeds.values.filter { $0.isSilent(now: now) })
        positions.refresh(feeds.values.filter(\.isQueued))
        presence?.refresh()
    }

    // MARK: Pushes

    /// Pushes are lost from now on; each feed's silence leads to a probe.
    func didLosePushes() {
        for feed in feeds.values { feed.didLosePushes() }
    }

    /// Pushes arrive again.
    func didReconnect() {
        for feed in feeds.values { feed.readAgain() }
    }
}
