package import Application
package import Domain
internal import EventLoop
package import RedisClient
package import Shared
package import Telemetry

/// Serves the event streams of Redis to the viewers of one loop.
///
/// All viewers of a request share one subscription to its live channel. What is pushed is merged by event id with what
/// is stored: a viewer first reads what exists, then takes pushes, and reads again wherever the ids show a hole.
/// ```
///  watch ─► subscribe ─► XRANGE from the cursor ─► live ──push──► deliver
///                              ▲                    │ hole, reconnect, idle 2 s and behind
///                              └────────────────────┘
///                              ▲                    │ viewer has no room
///                              └── resume() ◄── stalled
/// ```
package final class RedisAnswerStream: AnswerStream {
    /// How often feeds are checked.
    private static let tick = Duration.milliseconds(500)
    static let subscribeDeadline = Duration.seconds(5)

    let store: RedisStore
    let backoff: Backoff
    /// After this time without a push or an answer, a feed asks Redis; in milliseconds of loop time.
    var silenceMilliseconds: Int64 = 2000
    private(set) var subscriber: (any PartitionSubscriber)?
    /// Readers that wait for the archive, on the same connection.
    package let keptNotices: RedisArchiveNotices
    private var feeds: [CorrelationID: AnswerFeed] = [:]
    private var ticker: LoopTimer?
    private var positions: QueuePositions?
    private let presence: ViewerPresence?
    private let appends: Histogram?

    /// `presence` tells the other replicas of this loop's viewers; a stream that only writes needs none.
    ///
    /// `appends` takes how many of the provider's tokens are joined in each append.
    package init(
        store: RedisStore,
        backoff: Backoff,
        presence: ViewerPresence? = nil,
        observer: (any RedisObserver)? = nil,
        appends: Histogram? = nil
    ) {
        self.store = store
        self.backoff = backoff
        self.presence = presence
        self.appends = appends
        keptNotices = RedisArchiveNotices(keys: store.keys, on: store.loop)
        subscriber = store.openSubscriber(delegate: self, observer: observer)
        keptNotices.begin(subscriber)
        positions = QueuePositions(store: store)
        ticker = store.loop.schedule(every: Self.tick) { [weak self] in self?.lookAfterFeeds() }
    }

    /// Ends all deliveries without a word to the viewers.
    package func close() {
        ticker?.close()
        ticker = nil
        for feed in feeds.values { feed.abandon() }
        feeds = [:]
        keptNotices.close()
        subscriber?.close()
        subscriber = nil
    }

    /// Requests that are being watched on this loop.
    package var feedCount: Int { feeds.count }

    package func writer(for claim: JobClaim) -> any AnswerWriter {
        RedisAnswerWriter(store: store, claim: claim, backoff: backoff, appends: appends)
    }

    package func replay(of finished: FinishedRequest, withAnswer: Bool) -> [AnswerEvent] {
        let ids = finished.replayIDs
        var events: [AnswerEvent] = []
        if withAnswer, !finished.answer.isEmpty {
            events.append(AnswerEvent(id: ids.before, name: .token, data: EventData.text(finished.answer)))
        }
        if let end = EventData.terminal(finished) {
            events.append(AnswerEvent(id: ids.end, name: end.name, data: end.data))
        }
        return events
    }

    package func watch(
        _ record: RequestRecord,
        after cursor: EventID?,
        viewer: any AnswerViewer
    ) -> any AnswerSubscription {
        let id = record.request.correlationID
        let feed = feeds[id] ?? open(record)
        let place = ViewerPlace(feed: feed, viewer: viewer, cursor: cursor ?? .beginning)
        feed.add(place)
        return place
    }

    private func open(_ record: RequestRecord) -> AnswerFeed {
        let feed = AnswerFeed(record, hub: self)
        feeds[record.request.correlationID] = feed
        feed.subscribe()
        if record.request.options.onDisconnect == .cancel, !record.status.isTerminal { presence?.begin(feed.id) }
        return feed
    }

    /// Called by a feed whose last viewer has gone.
    func close(_ feed: AnswerFeed) {
        guard feeds[feed.id] === feed else { return }
        feeds[feed.id] = nil
        subscriber?.unsubscribe(from: feed.channel, in: store.keys.partition(of: feed.id))
        presence?.end(feed.id)
    }

    private func lookAfterFeeds() {
        let now = store.loop.nowMilliseconds
        for feed in feeds.values { feed.lookAfter(now: now) }
        SilenceProbe(store: store).ask(feeds.values.filter { $0.isSilent(now: now) })
        positions?.refresh(feeds.values.filter(\.isQueued))
        presence?.refresh()
    }
}

extension RedisAnswerStream: RedisSubscriberDelegate {
    package func subscriberDidReceive(_ payload: UnsafeRawBufferPointer, on channel: UnsafeRawBufferPointer) {
        guard let id = store.keys.request(ofLive: channel), let feed = feeds[id] else {
            return keptNotices.receive(on: channel)
        }
        if let event = StoredEvent(pushed: payload) {
            feed.push(event)
        } else if let time = AppendTime(pushed: payload) {
            feed.note(time)
        }
    }

    /// Pushes are lost from here on; the silence of the feeds makes them ask Redis.
    package func subscriberDidLoseConnection() {
        for feed in feeds.values { feed.didLosePushes() }
    }

    package func subscriberDidReconnect() {
        for feed in feeds.values { feed.readAgain() }
        keptNotices.notifyAll()
    }
}
