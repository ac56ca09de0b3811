internal import Application
internal import Domain
internal import EventLoop
internal import RedisClient
internal import Shared
internal import Time

/// One viewer's place at a feed.
///
/// | state    | push                          | page read                    | `resume()` |
/// |----------|-------------------------------|------------------------------|------------|
/// | waiting  | noted                         | –                            | –          |
/// | reading  | noted                         | delivered; → live or reading | –          |
/// | live     | delivered, or → reading       | –                            | –          |
/// | stalled  | ignored                       | –                            | → reading  |
/// | retrying | noted                         | –                            | –          |
/// | lost     | noted                         | –                            | –          |
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
        /// The store has lost what the viewer has seen, which is noted before the viewer is told.
        case lost
        case ended
    }

    /// Events of the first page, and the bytes that later ones aim at: a viewer that takes nothing must not make a
    /// replica hold much, and one event may have 16 KiB.
    private static let pageEventsFirst = 32
    private static let pageBytes = 131_072

    private let feed: AnswerFeed
    private var viewer: (any AnswerViewer)?
    private var cursor: EventID
    /// The data of the cursor's event, where it was delivered here.
    ///
    /// When Redis rolls back and an attempt of the same number writes on, another event may get the cursor's id.
    private var cursorData: [UInt8]?
    /// True from the loss of the pushes' connection, which may have come of a roll-back, or from a read that was asked for while
    /// another was under way, to the next read.
    private var mustRead = false
    private var newestPushed: EventID
    /// What ``newestPushed`` was when the read under way was sent, and ``cursor`` when the probe was: an answer tells
    /// nothing of what came after its question.
    private var pushedBeforeRead: EventID
    private var cursorBeforeProbe: EventID
    private var toldPosition: Int?
    /// Events of the next page, without the cursor's own.
    private var pageEvents = ViewerPlace.pageEventsFirst
    private var state = State.waiting
    /// True while what is delivered comes as it is appended: what is read of the past was late for another reason.
    private var isCaughtUp = false

    init(feed: AnswerFeed, viewer: any AnswerViewer, cursor: EventID) {
        self.feed = feed
        self.viewer = viewer
        self.cursor = cursor
        newestPushed = cursor
        pushedBeforeRead = cursor
        cursorBeforeProbe = cursor
    }

    // MARK: AnswerSubscription

    func cancel() {
        guard viewer != nil else { return }
        state = .ended
        viewer = nil
        feed.remove(self)
    }

    /// Ends as the whole stream of events does: nobody is told.
    func abandon() {
        state = .ended
        viewer = nil
    }

    func resume() {
        if case .stalled = state { read() }
    }

    // MARK: Pushes

    func push(_ stored: StoredEvent) {
        newestPushed = max(newestPushed, stored.id)
        guard case .live = state, stored.id > cursor else { return }
        if stored.id.follows(cursor), !mustRead {
            deliver(stored)
        } else {
            read()
        }
    }

    func didLosePushes() { mustRead = true }

    /// Tells the place in line, where the viewer knows another one.
    func tell(position: Int) {
        guard case .live = state, position != toldPosition, let viewer else { return }
        let event = AnswerEvent(id: nil, name: .queued, data: EventData.queued(feed.request, position: position))
        // Without asking for room: the next position makes up for one that is left out, and nothing waits for it.
        guard viewer.hasRoom(for: event) else { return }
        toldPosition = position
        viewer.deliver(event)
    }

    /// False where nothing can follow right now.
    @discardableResult
    private func deliver(_ stored: StoredEvent) -> Bool {
        guard let viewer else { return false }
        let event = stored.event
        guard viewer.hasRoom(for: event) else {
            state = .stalled
            isCaughtUp = false
            return false
        }
        cursor = stored.id
        cursorData = stored.data
        if stored.name == .queued { toldPosition = EventData.position(in: stored.data) }
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

    /// Reads the next page, unless that is under way or pointless.
    ///
    /// It begins with the cursor's own event: where that is missing, history was lost.
    func read() {
        switch state {
        case .reading:
            // The answer under way may be older than what asks for this one, such as pushes that are heard again.
            mustRead = true
            return
        case .lost, .ended: return
        case .waiting, .live, .stalled, .retrying: break
        }
        state = .reading
        mustRead = false
        pushedBeforeRead = newestPushed
        let store = feed.hub.store
        let command = RedisCommand(
            "XRANGE",
            store.keys.events(feed.id),
            cursor.description,
            "+",
            "COUNT",
            cursor == .beginning ? pageEvents : pageEvents + 1,
        )
        store.connection(of: feed.id).send(command) { [weak self] result in
            self?.didRead(result)
        }
    }

    private func didRead(_ result: Result<RedisValue, RedisError>) {
        guard case .reading = state else { return }
        guard case .success(let reply) = result else { return readLater() }
        var entries = (reply.array ?? []).compactMap { EntryHead($0) }[...]
        if cursor != .beginning {
            guard let first = entries.first, first.id == cursor, cursorData == nil || cursorData == first.data else {
                return didMissCursor(entries.isEmpty)
            }
            entries.removeFirst()
        }
        let isFull = entries.count == pageEvents
        adaptPage(to: entries)
        for entry in entries {
            guard var stored = StoredEvent(entry) else {
                // An event of a later version: not for this one's clients.
                cursor = entry.id
                cursorData = entry.data
                continue
            }
            feed.heard(stored)
            if !isCaughtUp { stored.appendedMicroseconds = nil }
            guard deliver(stored) else { return }
        }
        state = .live
        // What was pushed while the page was on its way may not be in it.
        let missesPushed = newestPushed > cursor && (!entries.isEmpty || newestPushed > pushedBeforeRead)
        if isFull || missesPushed || mustRead { read() } else { isCaughtUp = true }
    }

    private func readLater() {
        let pause = feed.hub.backoff.jittered(.seconds(1)).wholeMilliseconds
        state = .retrying(feed.hub.store.loop.nowMilliseconds + pause)
    }

    /// Grows by doubling at most: what follows small events may be large ones.
    private func adaptPage(to entries: ArraySlice<EntryHead>) {
        guard !entries.isEmpty else { return }
        let mean = entries.reduce(0) { $0 + $1.data.count } / entries.count
        let fitting = min(Self.pageBytes / max(mean, 1), StoredAnswer.pageEvents)
        pageEvents = max(min(fitting, entries.count * 2), 1)
    }

    /// The cursor's event is not stored any more: whether others are decides what the viewer is told.
    private func didMissCursor(_ isEmpty: Bool) {
        state = .live
        if isEmpty { feed.probe() } else { startOver() }
    }

    func retry(now: Int64) {
        if case .retrying(let due) = state, due <= now { read() }
    }

    /// The newest event delivered; nil while pushes are not delivered at once.
    var liveCursor: EventID? {
        if case .live = state { cursor } else { nil }
    }

    /// Reads where events up to `stored` are missing.
    func catchUp(to stored: EventID) {
        if case .live = state, stored > cursor { read() }
    }

    func willProbe() { cursorBeforeProbe = cursor }

    /// Compares with the last stored event, which Redis was asked for because the feed was silent.
    func compare(with last: EntryHead?) {
        guard case .live = state else { return }
        guard let last else {
            end(.gone)
            return
        }
        if last.id > cursor {
            read()
        } else if last.id < cursorBeforeProbe || isAnother(last) {
            startOver()
        }
    }

    /// True for an event that has got the cursor's id after Redis was rolled back: nothing need follow it, such as a
    /// request's end.
    func isAnother(_ stored: EntryHead) -> Bool {
        guard let cursorData, stored.id == cursor else { return false }
        return stored.data != cursorData
    }

    /// Tells the viewer that its history is lost, and begins with the first event.
    ///
    /// The viewer keeps its cursor until the next event and may break off before it. So what is lost is noted first: who
    /// comes back with that cursor is told again, even when another event has its id by then.
    private func startOver() {
        state = .lost
        let (store, id, lost) = (feed.hub.store, feed.id, cursor)
        // Without data nothing was delivered here: the cursor is the client's.
        let call = MarkLostCall(lost, of: id, cursorData == nil ? .claimed : .delivered, store.keys)
        store.loop.spawn { [weak self] in
            let isNoted = (try? await store.call(call)) != nil
            self?.didNoteLoss(isNoted)
        }
    }

    private func didNoteLoss(_ isNoted: Bool) {
        guard case .lost = state else { return }
        guard isNoted else { return readLater() }
        state = .live
        viewer?.deliver(AnswerEvent(id: nil, name: .reset, data: EventData.reset(.historyLost)))
        isCaughtUp = false
        cursor = .beginning
        cursorData = nil
        newestPushed = cursor
        read()
    }
}

extension EventID {
    /// Before the first event.
    static let beginning = EventID(attempt: 0, sequence: 0)
}
