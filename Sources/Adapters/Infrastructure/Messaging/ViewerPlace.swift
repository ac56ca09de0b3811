internal import Application
internal import Domain
internal import EventLoop
internal import RedisClient
internal import Shared

/// One viewer's place at a feed.
///
/// | state    | push                          | page read                    | `resume()` |
/// |----------|-------------------------------|------------------------------|------------|
/// | waiting  | noted                         | –                            | –          |
/// | reading  | noted                         | delivered; → live or reading | –          |
/// | live     | delivered, or → reading       | –                            | –          |
/// | stalled  | ignored                       | –                            | → reading  |
/// | retrying | noted                         | –                            | –          |
/// | ended    | ignored                       | ignored                      | –          |
final class ViewerPlace: AnswerSubscription {
    private enum State {
        /// For the subscription to be confirmed.
        case waiting
        case reading
        case live
        /// The viewer has no room.
        case stalled
        /// Redis did not answer a read; the next try is at this loop time.
        case retrying(Int64)
        case ended
    }

    /// Events of the first page, and the bytes that later ones aim at: a viewer that takes nothing must not make a
    /// replica hold much, and one event may have 16 KiB.
    private static let pageEventsFirst = 32
    private static let pageBytes = 131_072

    private let feed: AnswerFeed
    private var viewer: (any AnswerViewer)?
    private var cursor: EventID
    private var newestPushed: EventID
    /// What `newestPushed` was when the read that is under way was sent.
    private var newestBeforeRead: EventID
    private var pageEvents = ViewerPlace.pageEventsFirst
    private var state = State.waiting

    init(feed: AnswerFeed, viewer: any AnswerViewer, cursor: EventID) {
        self.feed = feed
        self.viewer = viewer
        self.cursor = cursor
        newestPushed = cursor
        newestBeforeRead = cursor
    }

    // MARK: AnswerSubscription

    func cancel() {
        guard viewer != nil else { return }
        state = .ended
        viewer = nil
        feed.remove(self)
    }

    func resume() {
        if case .stalled = state { read() }
    }

    // MARK: Pushes

    func push(_ stored: StoredEvent) {
        newestPushed = max(newestPushed, stored.id)
        guard case .live = state, stored.id > cursor else { return }
        if stored.id.follows(cursor) {
            deliver(stored)
        } else {
            read()
        }
    }

    /// Delivers something that has no place in the stream.
    func tell(_ event: AnswerEvent) {
        guard case .live = state, let viewer, viewer.hasRoom(for: event) else { return }
        viewer.deliver(event)
    }

    /// False where nothing can follow right now.
    @discardableResult
    private func deliver(_ stored: StoredEvent) -> Bool {
        guard let viewer else { return false }
        let event = stored.event
        guard viewer.hasRoom(for: event) else {
            state = .stalled
            return false
        }
        cursor = stored.id
        viewer.deliver(event)
        if stored.name.isTerminal {
            end(.terminal)
            return false
        }
        return self.viewer != nil
    }

    private func end(_ end: AnswerEnd) {
        let viewer = viewer
        cancel()
        viewer?.answerDidEnd(end)
    }

    // MARK: Reading

    /// Reads the next page after the cursor, unless that is under way or pointless.
    func read() {
        switch state {
        case .reading, .ended: return
        case .waiting, .live, .stalled, .retrying: break
        }
        state = .reading
        newestBeforeRead = newestPushed
        let store = feed.hub.store
        let command = RedisCommand(
            "XRANGE",
            store.keys.events(feed.id),
            "(\(cursor)",
            "+",
            "COUNT",
            pageEvents,
        )
        store.commander.send(command, deadline: RedisStore.commandDeadline) { [weak self] result in
            self?.didRead(result)
        }
    }

    private func didRead(_ result: Result<RedisValue, RedisError>) {
        guard case .reading = state else { return }
        guard case .success(let reply) = result else {
            let pause = feed.hub.backoff.jittered(.seconds(1)).wholeMilliseconds
            state = .retrying(feed.hub.store.loop.nowMilliseconds + Int64(pause))
            return
        }
        let entries = reply.array ?? []
        let isWhole = entries.count < pageEvents
        let events = entries.compactMap { StoredEvent($0) }
        adaptPage(to: events)
        for stored in events {
            feed.heard(stored)
            guard deliver(stored) else { return }
        }
        state = .live
        // A push that came after the read was sent may be newer than what was read. One that came before and is not
        // in the store any more is lost; to read again for it would never end.
        let isBehind = newestPushed > cursor && (newestPushed > newestBeforeRead || !events.isEmpty)
        if !isWhole || isBehind { read() }
    }

    private func adaptPage(to events: [StoredEvent]) {
        guard !events.isEmpty else { return }
        let bytes = events.reduce(0) { $0 + $1.data.count } / events.count
        pageEvents = min(max(Self.pageBytes / max(bytes, 1), 1), RedisRequestRepository.pageEvents)
    }

    func retry(now: Int64) {
        if case .retrying(let due) = state, due <= now { read() }
    }

    /// Compares with the last stored id, which Redis was asked for because the feed was silent.
    func compare(with last: EventID?) {
        guard case .live = state else { return }
        guard let last else {
            end(.gone)
            return
        }
        if last > cursor {
            read()
        } else if last < cursor {
            viewer?.deliver(AnswerEvent(id: nil, name: .reset, data: EventData.reset(.historyLost)))
            cursor = EventID(attempt: 0, sequence: 0)
            newestPushed = cursor
            read()
        }
    }
}
