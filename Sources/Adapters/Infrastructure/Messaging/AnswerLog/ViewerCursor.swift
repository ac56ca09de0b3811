internal import Application
internal import Domain
internal import EventLoop
internal import RedisClient
internal import Shared
internal import Time

/// Delivers a request's events to one viewer; ``CursorState`` decides what to do.
final class ViewerCursor: AnswerSubscription {
    private let feed: AnswerFeed
    /// Nil once the deliveries have ended.
    private var viewer: (any AnswerViewer)?
    private var state: CursorState
    /// The queue position that the viewer knows.
    private var reportedPosition: Int?

    init(feed: AnswerFeed, viewer: any AnswerViewer, cursor: EventID) {
        self.feed = feed
        self.viewer = viewer
        state = CursorState(after: cursor)
    }

    /// Delivers the first event of a request that was accepted just now, which is known without reading it.
    func deliverQueued(_ data: [UInt8]) { deliver(StoredEvent(id: .queued, name: .queued, data: data)) }

    // MARK: AnswerSubscription

    func cancel() {
        guard viewer != nil else { return }
        drop()
        feed.remove(self)
    }

    /// Ends the deliveries without a report to the viewer: the reader closes.
    func drop() {
        state.end()
        viewer = nil
    }

    func resume() { perform(state.resume()) }

    // MARK: Pushes

    func push(_ stored: StoredEvent) {
        let action = state.push(stored.id)
        if case .deliver = action {
            deliver(stored)
        } else {
            perform(action)
        }
    }

    func didLosePushes() { state.didLosePushes() }

    /// Reports the request's place in the queue, where the viewer knows another one.
    func report(position: Int) {
        guard state.isLive, position != reportedPosition, let viewer else { return }
        let event = AnswerEvent(id: nil, name: .queued, data: EventData.queued(feed.request, position: position))
        // A viewer without room gets the next position instead; nothing waits for this one.
        if viewer.offer(event) { reportedPosition = position }
    }

    /// False where no event can follow now.
    @discardableResult
    private func deliver(_ stored: StoredEvent) -> Bool {
        guard let viewer else { return false }
        guard viewer.offer(stored.event) else {
            state.stall()
            return false
        }
        state.advance(to: stored.id, stored.data)
        if stored.name == .queued { reportedPosition = EventData.position(in: stored.data) }
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

    private func perform(_ action: CursorState.Action) {
        switch action {
        case .nothing: break
        case .deliver: preconditionFailure("only a push is delivered at once")
        case .read(let page): send(page)
        case .probe: feed.probe()
        case .noteLoss: noteLoss()
        case .end: end(.gone)
        }
    }

    // MARK: Reading

    func read() { perform(state.read()) }

    private func send(_ page: CursorState.Page) {
        let store = feed.reader.store
        let key = store.keys.events(feed.id)
        let command = RedisCommand("XRANGE", key, page.from.description, "+", "COUNT", page.events)
        store.connection(of: feed.id).send(command) { [weak self] result in
            self?.didRead(result)
        }
    }

    private func didRead(_ result: Result<RedisValue, RedisError>) {
        guard case .success(let reply) = result else { return retryLater() }
        switch state.didRead((reply.array ?? []).compactMap { EntryHead($0) }) {
        case .action(let action): perform(action)
        case .events(let entries):
            for entry in entries {
                guard let stored = StoredEvent(entry, isLive: state.isCaughtUp) else {
                    // An event of a later version, which this version's clients do not know.
                    state.advance(to: entry.id, entry.data)
                    continue
                }
                feed.observe(stored)
                guard deliver(stored) else { return }
            }
            perform(state.didDeliverPage())
        }
    }

    private func retryLater() {
        let pause = feed.reader.backoff.jittered(.seconds(1)).wholeMilliseconds
        state.didFail(retryAt: feed.reader.store.loop.nowMilliseconds + pause)
    }

    func retry(now: Int64) { perform(state.retry(now: now)) }

    /// The newest event delivered; nil while pushes are not delivered at once.
    var liveCursor: EventID? { state.isLive ? state.cursor : nil }

    /// Reads where events up to `stored` are missing.
    func catchUp(to stored: EventID) { perform(state.catchUp(to: stored)) }

    func willProbe() { state.willProbe() }

    /// Compares with the log's last event.
    func compare(with last: EntryHead?) { perform(state.compare(with: last)) }

    func isAnother(_ stored: EntryHead) -> Bool { state.isAnother(stored) }

    // MARK: Lost history

    private func noteLoss() {
        let (store, id, lost) = (feed.reader.store, feed.id, state.cursor)
        // Without data nothing was delivered here: the cursor is what the client claims to have.
        let call = MarkLostCall(lost, of: id, state.cursorData == nil ? .claimed : .delivered, store.keys)
        store.loop.spawn { [weak self] in
            let isNoted = (try? await store.call(call)) != nil
            self?.didNoteLoss(isNoted)
        }
    }

    private func didNoteLoss(_ isNoted: Bool) {
        guard isNoted else { return retryLater() }
        guard state.phase == .lost else { return }
        viewer?.deliver(EventData.reset)
        perform(state.startOver())
    }
}
