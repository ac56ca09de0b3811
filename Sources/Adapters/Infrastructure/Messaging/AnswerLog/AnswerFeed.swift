internal import Application
internal import Domain
internal import EventLoop
internal import RedisClient
internal import Shared

/// One request's events on one loop, and the viewers here that watch them.
final class AnswerFeed {
    let id: CorrelationID
    let channel: String
    let request: MathRequest
    /// True where the feed counts as a viewer of a request that is cancelled without viewers.
    let isPresent: Bool
    /// Nil while the request waits in its conversation's queue.
    private(set) var jobNumber: Int?
    let reader: RedisAnswerLogReader

    private enum Subscription {
        case none
        case inFlight
        case confirmed
    }

    private var cursors: [ViewerCursor] = []
    private var subscription = Subscription.none
    /// Loop time of the last push or reply, in milliseconds.
    private var lastActivity: Int64
    private var isProbing = false
    /// When the event that is pushed next was appended, where that was reported.
    private var appendTime: AppendTime?
    /// True until the first event after `queued`.
    private(set) var isQueued: Bool

    init(_ watched: WatchedRequest, reader: RedisAnswerLogReader) {
        request = watched.request
        id = watched.request.correlationID
        jobNumber = watched.jobNumber
        isQueued = watched.status == .queued
        isPresent = watched.request.options.onDisconnect == .cancel && !watched.status.isTerminal
        channel = reader.store.keys.live(id)
        lastActivity = reader.store.loop.nowMilliseconds
        self.reader = reader
    }

    func add(_ cursor: ViewerCursor) {
        cursors.append(cursor)
        if subscription != .inFlight { cursor.read() }
    }

    func remove(_ cursor: ViewerCursor) {
        cursors.removeAll { $0 === cursor }
        if cursors.isEmpty { reader.close(self) }
    }

    /// Drops all viewers without a report to them.
    func close() {
        for cursor in cursors { cursor.drop() }
        cursors = []
    }

    /// Subscribes to the pushes.
    ///
    /// Reads begin when Redis has confirmed, so that no event falls between the read and the pushes. Without a
    /// confirmation they begin as well, and the feed depends on probes.
    func subscribe() {
        guard let subscriber = reader.subscriber else { return }
        subscription = .inFlight
        let partition = reader.store.keys.partition(of: id)
        subscriber.subscribe(to: channel, in: partition, deadline: RedisAnswerLogReader.subscribeDeadline) {
            [weak self] result in
            guard let self else { return }
            switch result {
            case .success: subscription = .confirmed
            case .failure: subscription = .none
            }
            readAgain()
        }
    }

    // MARK: Pushes

    /// Takes a message of the live channel; a message of a later version is ignored.
    func receive(_ payload: Span<UInt8>) {
        if let event = StoredEvent(pushed: payload) {
            push(event)
        } else if let time = AppendTime(pushed: payload) {
            appendTime = time
        }
    }

    func push(_ stored: StoredEvent) {
        lastActivity = reader.store.loop.nowMilliseconds
        if let appendTime {
            self.appendTime = nil
            if appendTime.id == stored.id {
                var timed = stored
                timed.appendedMicroseconds = appendTime.microseconds
                return deliver(timed)
            }
        }
        deliver(stored)
    }

    private func deliver(_ stored: StoredEvent) {
        observe(stored)
        if cursors.count == 1 {
            cursors[0].push(stored)
        } else {
            for cursor in cursors { cursor.push(stored) }
        }
    }

    /// Notes an event that was pushed or read.
    func observe(_ stored: StoredEvent) {
        if isQueued, stored.id > .queued { isQueued = false }
    }

    func didLosePushes() {
        for cursor in cursors { cursor.didLosePushes() }
    }

    func readAgain() {
        for cursor in cursors { cursor.read() }
    }

    // MARK: Silence

    /// Repeats what has failed.
    func retry(now: Int64) {
        if subscription == .none { subscribe() }
        for cursor in cursors { cursor.retry(now: now) }
    }

    /// True after so long without a push that one may have been lost.
    func isSilent(now: Int64) -> Bool {
        !isProbing && now - lastActivity >= reader.silenceMilliseconds
    }

    /// The newest event that a viewer here has, with which a probe begins; nil where no viewer is live.
    func beginSilenceProbe() -> EventID? {
        guard !isProbing, let newest = cursors.lazy.compactMap(\.liveCursor).max() else { return nil }
        isProbing = true
        return newest
    }

    /// Takes what Redis has from `newest` on, two events at most; nil where it did not answer.
    func endSilenceProbe(_ newest: EventID, _ found: [EntryHead]?) {
        isProbing = false
        lastActivity = reader.store.loop.nowMilliseconds
        guard let found else { return }
        guard let first = found.first, let last = found.last?.id, first.id == newest || newest == .beginning,
            !cursors.contains(where: { $0.isAnother(first) })
        else { return probe() }
        for cursor in cursors { cursor.catchUp(to: last) }
    }

    /// Reads the log's last event.
    func probe() {
        guard !isProbing else { return }
        isProbing = true
        for cursor in cursors { cursor.willProbe() }
        let store = reader.store
        let command = RedisCommand("XREVRANGE", store.keys.events(id), "+", "-", "COUNT", 1)
        store.connection(of: id).send(command) { [weak self] result in
            self?.didProbe(result)
        }
    }

    private func didProbe(_ result: Result<RedisValue, RedisError>) {
        isProbing = false
        lastActivity = reader.store.loop.nowMilliseconds
        guard case .success(let reply) = result else { return }
        let last = reply.array?.first.flatMap { EntryHead($0) }
        for cursor in cursors { cursor.compare(with: last) }
    }

    // MARK: Queue position

    func didBecomeJob(_ number: Int) { jobNumber = number }

    /// Reports the place in the queue where it has changed, from how many jobs have left the queue.
    func reportPosition(jobsTaken taken: Int) {
        if let jobNumber { report(position: max(1, jobNumber - taken)) }
    }

    /// Reports the place in the queue where it has changed; 1 is next.
    func report(position: Int) {
        for cursor in cursors { cursor.report(position: position) }
    }
}

/// What a feed knows of its request at its beginning.
struct WatchedRequest {
    let request: MathRequest
    let status: RequestStatus
    let jobNumber: Int?
}
