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

    private let feed: AnswerFeed
    private var viewer: (any AnswerViewer)?
    private var cursor: EventID
    private var newestPushed: EventID
    private var state = State.waiting

    init(feed: AnswerFeed, viewer: any AnswerViewer, cursor: EventID) {
        self.feed = feed
        self.viewer = viewer
        self.cursor = cursor
        newestPushed = cursor
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
        let store = feed.hub.store
        let command = RedisCommand(
            "XRANGE",
            store.keys.events(feed.id),
            "(\(cursor)",
            "+",
            "COUNT",
            RedisRequestRepository.pageEvents,
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
        for entry in entries {
            guard let stored = StoredEvent(entry) else { continue }
            feed.heard(stored)
            guard deliver(stored) else { return }
        }
        state = .live
        if entries.count == RedisRequestRepository.pageEvents || newestPushed > cursor, !entries.isEmpty { read() }
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
