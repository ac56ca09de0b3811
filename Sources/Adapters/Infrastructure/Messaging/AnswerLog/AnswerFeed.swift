internal import Application
internal import Domain
internal import EventLoop
internal import RedisClient
internal import Shared

/// One request's events on one loop, and everyone here who watches them.
final class AnswerFeed {
    let id: CorrelationID
    let channel: String
    let request: MathRequest
    /// Nil while the request waits for the one before it in its conversation.
    private(set) var jobNumber: Int?
    let hub: RedisAnswerStream

    private enum Subscription {
        case none
        case underWay
        case confirmed
    }

    private var places: [ViewerPlace] = []
    private var subscription = Subscription.none
    /// Loop time of the last push or answer, in milliseconds.
    private var lastHeard: Int64
    private var isProbing = false
    /// In milliseconds of loop time.
    private static let jobQuestionPauseMax: Int64 = 8000
    private var jobQuestionDue: Int64 = 0
    private var jobQuestionPause: Int64 = 1000
    /// When the next event to be pushed was appended, where that was told.
    private var appendTime: AppendTime?

    init(_ record: RequestRecord, hub: RedisAnswerStream) {
        request = record.request
        id = record.request.correlationID
        jobNumber = record.jobNumber
        channel = hub.store.keys.live(id)
        lastHeard = hub.store.loop.nowMilliseconds
        isQueued = record.status == .queued
        self.hub = hub
    }

    /// True until the first event after `queued` has been seen.
    private(set) var isQueued: Bool

    func add(_ place: ViewerPlace) {
        places.append(place)
        if subscription != .underWay { place.read() }
    }

    /// Lets go of all viewers without a word to them.
    func abandon() {
        for place in places { place.abandon() }
        places = []
    }

    func remove(_ place: ViewerPlace) {
        places.removeAll { $0 === place }
        if places.isEmpty { hub.close(self) }
    }

    /// Reads begin once Redis has confirmed, so that nothing falls between the reading and the pushes; without a
    /// confirmation they begin too, and the feed lives on asking.
    func subscribe() {
        guard let subscriber = hub.subscriber else { return }
        subscription = .underWay
        let partition = hub.store.keys.partition(of: id)
        subscriber.subscribe(to: channel, in: partition, deadline: RedisAnswerStream.subscribeDeadline) {
            [weak self] result in
            guard let self else { return }
            switch result {
            case .success: subscription = .confirmed
            case .failure: subscription = .none
            }
            readAgain()
        }
    }

    func note(_ time: AppendTime) { appendTime = time }

    func push(_ stored: StoredEvent) {
        lastHeard = hub.store.loop.nowMilliseconds
        if let appendTime {
            self.appendTime = nil
            if appendTime.id == stored.id {
                var timed = stored
                timed.appendedMicroseconds = appendTime.microseconds
                return hand(timed)
            }
        }
        hand(stored)
    }

    private func hand(_ stored: StoredEvent) {
        heard(stored)
        if places.count == 1 {
            places[0].push(stored)
        } else {
            for place in places { place.push(stored) }
        }
    }

    /// Notes an event that came by push or by reading.
    func heard(_ stored: StoredEvent) {
        if isQueued, stored.id > .queued { isQueued = false }
    }

    func didLosePushes() {
        for place in places { place.didLosePushes() }
    }

    func readAgain() {
        for place in places { place.read() }
    }

    // MARK: Silence

    func lookAfter(now: Int64) {
        if subscription == .none { subscribe() }
        for place in places { place.retry(now: now) }
    }

    /// True where nothing was heard for so long that a push may have been lost.
    func isSilent(now: Int64) -> Bool {
        !isProbing && now - lastHeard >= hub.silenceMilliseconds
    }

    /// The newest event that a viewer here has, about which Redis is going to be asked; nil where no viewer is live.
    func willAsk() -> EventID? {
        guard !isProbing, let newest = places.lazy.compactMap(\.liveCursor).max() else { return nil }
        isProbing = true
        return newest
    }

    /// Takes what Redis has from `newest` on, two events at most; nil where it did not answer.
    func didAsk(_ newest: EventID, _ found: [EntryHead]?) {
        isProbing = false
        lastHeard = hub.store.loop.nowMilliseconds
        guard let found else { return }
        guard let first = found.first, let last = found.last?.id, first.id == newest || newest == .beginning,
            !places.contains(where: { $0.isAnother(first) })
        else { return probe() }
        for place in places { place.catchUp(to: last) }
    }

    /// Asks Redis for the last stored id.
    func probe() {
        guard !isProbing else { return }
        isProbing = true
        for place in places { place.willProbe() }
        let command = RedisCommand("XREVRANGE", hub.store.keys.events(id), "+", "-", "COUNT", 1)
        hub.store.connection(of: id).send(command) { [weak self] result in
            self?.didProbe(result)
        }
    }

    /// The last stored event tells all: newer than a cursor is a lost push; older, or another one of the same id, is lost
    /// history; none is an expired stream.
    private func didProbe(_ result: Result<RedisValue, RedisError>) {
        isProbing = false
        lastHeard = hub.store.loop.nowMilliseconds
        guard case .success(let reply) = result else { return }
        let last = reply.array?.first.flatMap { EntryHead($0) }
        for place in places { place.compare(with: last) }
    }

    // MARK: Queue position

    /// Whether to ask if the conversation's turn has come to this request; the pauses grow from 1 s to 8 s.
    func isJobQuestionDue(now: Int64) -> Bool {
        guard now >= jobQuestionDue else { return false }
        jobQuestionDue = now + jobQuestionPause
        jobQuestionPause = min(jobQuestionPause * 2, Self.jobQuestionPauseMax)
        return true
    }

    /// The conversation's turn has come to this request.
    func becameJob(_ number: Int) { jobNumber = number }

    /// Tells the place in line where it has changed; `given` is how many jobs the queue has given out.
    func tellPosition(jobsGiven given: Int) {
        guard let jobNumber else { return }
        let position = max(1, jobNumber - given)
        for place in places { place.tell(position: position) }
    }
}
