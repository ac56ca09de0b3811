internal import Application
internal import Domain
internal import EventLoop
internal import HTTPServer
internal import Instrumentation
internal import Shared
internal import Telemetry
internal import Tracing

/// One client's event stream (WHATWG HTML, section 9.2, "Server-sent events").
///
/// Blank lines end events only: `retry:` lines and heartbeats stand in the block of the next event, since some clients
/// report an event for every block, also for one without data. A client reads `retry:` line by line, so that one at the end
/// of the response counts, too.
///
/// The client's buffer is bounded: an event that does not fit is left in the store and read again once the client has
/// taken what it has.
final class SSEViewer: AnswerViewer {
    /// What a frame adds to an event's data, at most: ids, names and line ends.
    private static let frameBytesMax = 96
    /// How long a client that is sent away is told to wait: spread, so that not all come back at once, and short enough
    /// that no student sees a pause of two seconds.
    private static let retryMilliseconds = 100...1500

    /// Loop time of the last write in milliseconds.
    private(set) var lastWrite: Int64 = 0
    /// Place in the registry.
    var slot = 0

    private let registry: StreamRegistry
    private let span: Span?
    private var eventsDelivered = 0
    private var stream: HTTPResponseStream?
    private var subscription: (any AnswerSubscription)?
    /// When the request was submitted, until its first token has been written; nil where that says nothing.
    private var submitted: Timestamp?

    /// `span` is the request's, and ends with the stream.
    init(registry: StreamRegistry, span: Span?) {
        self.registry = registry
        self.span = span
    }

    /// Begins the response and the deliveries; `submitted` is when the client began to wait for its first token.
    func start(
        _ stream: HTTPResponseStream,
        reset: Bool,
        submitted: Timestamp? = nil,
        _ watch: (SSEViewer) -> (any AnswerSubscription)?
    ) {
        guard !stream.isClosed else { return didEnd() }
        self.stream = stream
        self.submitted = submitted
        registry.add(self)
        registry.metrics.opened.increment()
        write { $0.append(contentsOf: "retry: 2000\n".utf8) }
        guard !registry.isEnding else { return sendAway(.drained) }
        if reset {
            let data = JSONWriter.object { $0.member("reason", RestartReason.historyLost.rawValue) }
            deliver(AnswerEvent(id: nil, name: .reset, data: data))
        }
        subscription = watch(self)
    }

    // MARK: AnswerViewer

    func hasRoom(for event: AnswerEvent) -> Bool {
        guard let stream else { return false }
        let pending = stream.pendingBytes
        if pending == 0 || pending + event.data.count + Self.frameBytesMax <= registry.bufferBytesMax { return true }
        registry.metrics.stalled.increment()
        stream.awaitDrain()
        return false
    }

    func deliver(_ event: AnswerEvent) {
        eventsDelivered += 1
        registry.metrics.eventsDelivered.increment()
        if event.name != .token || submitted != nil { note(event) }
        if let appended = event.appendedMicroseconds {
            registry.measureDelivery(since: appended, in: span?.context.sampledTraceID)
        }
        write { output in
            if let id = event.id {
                output.append(contentsOf: "id: ".utf8)
                output.append(decimal: id.attempt)
                output.append(UInt8(ascii: "-"))
                output.append(decimal: id.sequence)
                output.append(UInt8(ascii: "\n"))
            }
            output.append(contentsOf: "event: ".utf8)
            output.append(contentsOf: event.name.rawValue.utf8)
            output.append(contentsOf: "\ndata: ".utf8)
            output.append(contentsOf: event.data)
            output.append(UInt8(ascii: "\n"))
            output.append(UInt8(ascii: "\n"))
        }
    }

    /// Counts what happens a few times in a stream.
    private func note(_ event: AnswerEvent) {
        switch event.name {
        case .token, .reasoning:
            if let submitted { registry.measureFirstToken(since: submitted, in: span?.context.sampledTraceID) }
            submitted = nil
        case .restarted: registry.metrics.resets[.restarted].increment()
        case .reset: registry.metrics.resets[.historyLost].increment()
        case .queued, .started, .completed, .failed, .cancelled: break
        }
    }

    func answerDidEnd(_ end: AnswerEnd) {
        subscription = nil
        switch end {
        case .terminal: finish(.ended)
        case .gone: finish(.gone)
        }
    }

    // MARK: Registry

    /// Bytes that the client has not taken yet.
    var pendingBytes: Int { stream?.pendingBytes ?? 0 }

    /// The registry has let go of it.
    func didEnd() {
        span?.set("lemma.stream.events", .int(eventsDelivered))
        span?.end()
    }

    /// Gives up a client that has not acknowledged a byte for `silenceMax` milliseconds: it is gone without a word.
    func leaveIfVanished(after silenceMax: Int64) {
        guard let stream, stream.clientSilenceMilliseconds >= silenceMax else { return }
        stream.abort()
        leave(.vanished)
    }

    func sendHeartbeat() {
        // A client that does not take its bytes gets no more of them.
        guard let stream, stream.pendingBytes == 0 else { return }
        write { $0.append(contentsOf: ": heartbeat\n".utf8) }
    }

    /// Ends the stream between two events and tells the client when to come back.
    func sendAway(_ end: StreamEnd) {
        let retry = Int.random(in: Self.retryMilliseconds)
        write { $0.append(contentsOf: "retry: \(retry)\n".utf8) }
        subscription?.cancel()
        subscription = nil
        finish(end)
    }

    // MARK: Writing

    private func write(_ body: (inout [UInt8]) -> Void) {
        guard let stream else { return }
        lastWrite = registry.loop.nowMilliseconds
        stream.write(body)
    }

    private func finish(_ end: StreamEnd) {
        guard let stream else { return }
        self.stream = nil
        registry.metrics.ends[end].increment()
        registry.loop.executeSoon { [registry] in registry.remove(self) }
        stream.end()
    }
}

extension SSEViewer: HTTPResponseStreamDelegate {
    func responseStreamDidDrain(_ stream: HTTPResponseStream) { subscription?.resume() }

    func responseStreamDidClose(_ stream: HTTPResponseStream, because loss: StreamLoss) {
        switch loss {
        case .clientLeft: leave(.clientClosed)
        case .failed: leave(.connectionFailed)
        case .stalled: leave(.stalled)
        case .serverClosed: leave(.shutDown)
        }
    }

    /// The connection is gone.
    private func leave(_ end: StreamEnd) {
        guard stream != nil else { return }
        stream = nil
        registry.metrics.ends[end].increment()
        subscription?.cancel()
        subscription = nil
        registry.remove(self)
    }
}

extension [UInt8] {
    /// Appends a number's decimal digits without making a string.
    fileprivate mutating func append(decimal number: UInt64) {
        if number >= 10 { append(decimal: number / 10) }
        append(UInt8(ascii: "0") + UInt8(number % 10))
    }
}
