internal import Application
internal import Domain
internal import EventLoop
internal import RedisClient
internal import Shared
internal import Telemetry
internal import Time

/// Appends one attempt's text to its event stream, with at most one append in flight.
///
/// ```
///  idle ──text──► sending ──stored──► idle, or sending the text that arrived meanwhile, as one event
///                    │ unknown outcome, refusal, fresh connection
///                    ▼
///                 checking: the stream's last ─────┬─ the one before ──► sending the same bytes again
///                    ▲                             ├─ this one ────────► stored
///                    └── pause, Redis away         ├─ another's ───────► fenced
///                                                  └─ older, none ─────► history lost (noted), gone
/// ```
final class RedisAnswerWriter: AnswerWriter {
    /// Limits in UTF-8 bytes: of the text of one event, and of the queued text above which the provider has to wait.
    private static let eventBytesMax = 16_384
    private static let queuedBytesMax = 65_536
    /// One event in so many carries the time of its append, the first included.
    static let timedEvery: UInt64 = 32

    private struct Chunk {
        let kind: AnswerText
        var text: String
        var tokens = 1
    }

    private struct Append {
        let id: EventID
        let name: StaticString
        let data: [UInt8]
        /// In microseconds since 1970, where the event is one of the sample.
        let time: Int64?
    }

    private let store: RedisStore
    private let connection: PartitionConnection
    private let backoff: Backoff
    private let appends: Histogram?
    private let correlationID: CorrelationID
    private let key: String
    private let channel: String
    private var stored: EventID
    /// The data of that event; nil for the marker, which the claim wrote.
    private var storedData: [UInt8]?
    private var generation: Int
    private var queue: [Chunk] = []
    private var queuedBytes = 0
    private var inFlight: Append?
    private var failures = 0
    private var failure: AnswerWriteFailure?
    private var roomWaiters: [OneShot<Void>] = []
    private var flushWaiters: [OneShot<Void>] = []

    var onFailure: ((AnswerWriteFailure) -> Void)?

    init(store: RedisStore, claim: JobClaim, backoff: Backoff, appends: Histogram?) {
        self.store = store
        self.backoff = backoff
        self.appends = appends
        correlationID = claim.request.correlationID
        key = store.keys.events(correlationID)
        channel = store.keys.live(correlationID)
        stored = EventID(attempt: claim.attempt, sequence: 0)
        connection = store.connection(of: correlationID)
        generation = connection.generation
    }

    // MARK: AnswerWriter

    func append(_ kind: AnswerText, _ text: String) {
        guard failure == nil else { return }
        if let last = queue.indices.last, queue[last].kind == kind,
            queue[last].text.utf8.count + text.utf8.count <= Self.eventBytesMax
        {
            queue[last].text += text
            queue[last].tokens += 1
        } else {
            queue.append(Chunk(kind: kind, text: text))
        }
        queuedBytes += text.utf8.count
        if inFlight == nil { sendNext() }
    }

    var hasRoom: Bool { failure == nil && queuedBytes <= Self.queuedBytesMax }

    func waitForRoom() async throws(AnswerWriteFailure) {
        while failure == nil, !hasRoom { try await wait(in: \.roomWaiters) }
        if let failure { throw failure }
    }

    func flush() async throws(AnswerWriteFailure) -> EventID {
        while failure == nil, inFlight != nil { try await wait(in: \.flushWaiters) }
        if let failure { throw failure }
        return stored
    }

    private func wait(
        in list: ReferenceWritableKeyPath<RedisAnswerWriter, [OneShot<Void>]>
    ) async throws(AnswerWriteFailure) {
        let waiter = OneShot<Void>(loop: store.loop)
        self[keyPath: list].append(waiter)
        do {
            try await waiter.value()
        } catch {
            throw .cancelled
        }
    }

    private func wake(_ list: ReferenceWritableKeyPath<RedisAnswerWriter, [OneShot<Void>]>) {
        let waiters = self[keyPath: list]
        guard !waiters.isEmpty else { return }
        self[keyPath: list] = []
        for waiter in waiters { waiter.succeed(()) }
    }

    // MARK: Sending

    private func sendNext() {
        guard failure == nil, !queue.isEmpty else {
            wake(\.flushWaiters)
            return
        }
        let chunk = queue.removeFirst()
        queuedBytes -= chunk.text.utf8.count
        appends?.observe(Double(chunk.tokens))
        let name: StaticString =
            switch chunk.kind {
            case .token: "token"
            case .reasoning: "reasoning"
            }
        let id = stored.next
        let time = id.sequence % Self.timedEvery == 1 ? UnixTime.microseconds : nil
        inFlight = Append(id: id, name: name, data: EventData.text(chunk.text), time: time)
        if queuedBytes <= Self.queuedBytesMax { wake(\.roomWaiters) }
        sendOrCheck()
    }

    /// Sends only on the connection on which the stream was seen: an append that waited for another connection could reach
    /// a stream that has become shorter, and leave a gap.
    private func sendOrCheck() {
        if generation == connection.generation, connection.isConnected { send() } else { check() }
    }

    private func send() {
        guard let inFlight else { return }
        connection.send(
            inFlight.time == nil ? 8 : 9,
            { command in
                command.append("FCALL")
                command.append(store.functions.append)
                command.append("1")
                command.append(key)
                command.append(inFlight.id.description)
                command.append(inFlight.name)
                command.append(inFlight.data)
                command.append(channel)
                if let time = inFlight.time { command.append(Int(time)) }
            },
            completion: { [weak self] result in self?.didSend(result) },
        )
    }

    private func didSend(_ result: Result<RedisReply, RedisError>) {
        guard failure == nil else { return }
        switch result {
        case .success(let reply): reply.integer == 1 ? didStore() : fail(.gone)
        case .failure(.server(let error)) where error.isFunctionNotFound: loadLibraryAndSend()
        case .failure(.cancelled), .failure(.closed): fail(.cancelled)
        // An id that is not greater is our own, stored before the connection broke, or a newer attempt's.
        case .failure(.server(let error)) where !error.isRetryable && error.message.contains("equal or smaller"):
            check()
        case .failure(.server(let error)) where error.isPermanent: fail(.refused(detail: error.message))
        case .failure: pauseAndCheck()
        }
    }

    private func didStore() {
        guard let inFlight else { return }
        stored = inFlight.id
        storedData = inFlight.data
        self.inFlight = nil
        failures = 0
        sendNext()
    }

    private func loadLibraryAndSend() {
        connection.send(RedisCommand("FUNCTION", "LOAD", store.functions.code)) { [weak self] _ in self?.check() }
    }

    // MARK: Checking

    private func pauseAndCheck() {
        failures += 1
        store.loop.schedule(after: backoff.pause(afterAttempt: min(failures, 3))) { [weak self] in self?.check() }
    }

    private func check() {
        guard failure == nil else { return }
        let seen = connection.generation
        let command = RedisCommand("XREVRANGE", key, "+", "-", "COUNT", 1)
        connection.send(command) { [weak self] result in
            self?.didCheck(result, seen)
        }
    }

    private func didCheck(_ result: Result<RedisValue, RedisError>, _ seen: Int) {
        guard failure == nil, let inFlight else { return }
        switch result {
        case .failure(.cancelled), .failure(.closed): fail(.cancelled)
        case .failure(.server(let error)) where error.isPermanent: fail(.refused(detail: error.message))
        case .failure: pauseAndCheck()
        case .success(let reply):
            generation = seen
            guard let last = reply.array?.first.flatMap({ EntryHead($0) }) else { return fail(.gone) }
            if last.id == inFlight.id {
                // Another event with this id is the end of the request, written after this attempt's last event.
                last.data == inFlight.data ? didStore() : fail(.fenced)
            } else if last.id == stored {
                // Likewise, after Redis has lost this event and others behind it.
                storedData == nil || last.data == storedData ? sendOrCheck() : fail(.fenced)
            } else {
                last.id.attempt > stored.attempt ? fail(.fenced) : loseHistory(upTo: inFlight.id)
            }
        }
    }

    /// Notes the loss before the next attempt can begin: if this attempt's marker is lost too, the next one gets the same
    /// number.
    private func loseHistory(upTo event: EventID) {
        store.loop.spawn { [self] in
            do {
                _ = try await store.call(MarkLostCall(event, of: correlationID, .delivered, store.keys))
                fail(.historyLost)
            } catch {
                pauseAndCheck()
            }
        }
    }

    private func fail(_ failure: AnswerWriteFailure) {
        guard self.failure == nil else { return }
        self.failure = failure
        queue = []
        queuedBytes = 0
        inFlight = nil
        wake(\.roomWaiters)
        wake(\.flushWaiters)
        let report = onFailure
        onFailure = nil
        report?(failure)
    }
}
