internal import Application
internal import Domain
internal import EventLoop
internal import HTTPServer
internal import Instrumentation
internal import Telemetry

/// A viewer that gets its events in the body of an HTTP response: all of it but the encoder.
///
/// ```
///  new ──start──► open ──end: the server completes the response────► ended
///   │              ├────closeIfVanished: the client has vanished──► ended
///   │              └────didClose: the connection is gone──────────► ended
///   └──start, when the connection is gone already─────────────────► ended
/// ```
/// A conforming class is not generic, so that the compiler specialises these methods for its encoder: a token costs one
/// dynamic call, that of ``AnswerViewer``.
///
/// The client's buffer is bounded: an event that does not fit is left in the store and read again once the client has
/// taken what it has.
protocol HTTPEventViewer: AnswerViewer, LiveViewer, HTTPResponseStreamDelegate {
    associatedtype Encoder: EventEncoder
    var encoder: Encoder { get set }
    var delivery: HTTPDelivery { get set }
}

/// What an ``HTTPEventViewer`` stores beside its encoder.
struct HTTPDelivery {
    fileprivate let registry: StreamRegistry
    /// Whose access the response depends on.
    fileprivate let access: CallerAccess
    fileprivate var meter: DeliveryMeter
    /// Nil before the start and after the end.
    fileprivate var stream: HTTPResponseStream?
    /// Where the events come from, while they do.
    fileprivate var subscription: (any AnswerSubscription)?
    /// Loop time of the last write, in milliseconds.
    fileprivate var lastWrite: Int64 = 0

    init(registry: StreamRegistry, access: CallerAccess, meter: DeliveryMeter) {
        self.registry = registry
        self.access = access
        self.meter = meter
    }
}

/// How soon a client whose stream is ended reconnects: jittered, so that not all come back at once, and short enough that
/// no student sees a pause of two seconds.
private let retryMilliseconds = 100...1500

extension HTTPEventViewer {
    /// Begins the response; `watch` starts the deliveries to this viewer.
    func start(_ stream: HTTPResponseStream, _ watch: (Self) -> (any AnswerSubscription)?) {
        guard !stream.isClosed else { return delivery.meter.end() }
        delivery.stream = stream
        delivery.registry.add(self)
        delivery.registry.metrics.opened.increment()
        write { encoder.begin(into: &$0) }
        guard !delivery.registry.isEnding else { return interrupt(.drained) }
        delivery.subscription = watch(self)
    }

    /// Ends the response between two events, with a hint when to reconnect.
    func interrupt(_ end: StreamEnd) {
        let closure = StreamClosure.interrupted(retryMilliseconds: Int.random(in: retryMilliseconds))
        write { encoder.end(closure, into: &$0) }
        self.end(end)
    }

    // MARK: AnswerViewer

    func offer(_ event: AnswerEvent) -> Bool {
        guard hasRoom(forFrameOf: event.data.count + Encoder.frameBytesMax) else { return false }
        deliver(event)
        return true
    }

    /// Whether the client's buffer has room for a frame of `bytes`, at most; a single frame always fits.
    ///
    /// If not, the stream's delegate is called when the client has taken what was written.
    private func hasRoom(forFrameOf bytes: Int) -> Bool {
        guard let stream = delivery.stream else { return false }
        let pending = stream.pendingBytes
        if pending == 0 || pending + bytes <= delivery.registry.bufferBytesMax { return true }
        delivery.registry.metrics.stalled.increment()
        stream.awaitDrain()
        return false
    }

    func deliver(_ event: AnswerEvent) {
        delivery.meter.note(event)
        write { encoder.encode(event, into: &$0) }
    }

    func answerDidEnd(_ end: AnswerEnd) {
        delivery.subscription = nil
        switch end {
        case .terminal:
            write { encoder.end(.terminal, into: &$0) }
            self.end(.ended)
        case .gone:
            write { encoder.end(.gone, into: &$0) }
            self.end(.gone)
        }
    }

    /// Lets `body` append to the connection's output.
    private func write(_ body: (inout [UInt8]) -> Void) {
        guard let stream = delivery.stream else { return }
        delivery.lastWrite = delivery.registry.loop.nowMilliseconds
        stream.write(body)
    }

    // MARK: LiveViewer

    var access: CallerAccess { delivery.access }
    var lastWrite: Int64 { delivery.lastWrite }
    var pendingBytes: Int { delivery.stream?.pendingBytes ?? 0 }

    func sendHeartbeat() {
        // A client that does not take its bytes gets no more of them.
        guard pendingBytes == 0 else { return }
        write { encoder.heartbeat(into: &$0) }
    }

    func closeIfVanished(after silenceMax: Int64) {
        guard let stream = delivery.stream, stream.clientSilenceMilliseconds >= silenceMax else { return }
        stream.abort()
        leave(.vanished)
    }

    func endForDrain() { interrupt(.drained) }

    func endForWithdrawal() { interrupt(.withdrawn) }

    // MARK: HTTPResponseStreamDelegate

    func responseStreamDidDrain(_ stream: HTTPResponseStream) { delivery.subscription?.resume() }

    func responseStreamDidClose(_ stream: HTTPResponseStream, because loss: StreamLoss) {
        switch loss {
        case .clientLeft: leave(.clientClosed)
        case .failed: leave(.connectionFailed)
        case .stalled: leave(.stalled)
        case .serverClosed: leave(.shutDown)
        }
    }

    // MARK: Ends

    /// Completes the response.
    private func end(_ end: StreamEnd) {
        guard let stream = detach(end) else { return }
        delivery.registry.loop.executeSoon { self.settle() }
        stream.end()
    }

    /// The response cannot be completed.
    private func leave(_ end: StreamEnd) {
        guard detach(end) != nil else { return }
        settle()
    }

    /// Ends the deliveries; nil where that has happened before.
    private func detach(_ end: StreamEnd) -> HTTPResponseStream? {
        guard let stream = delivery.stream else { return nil }
        delivery.stream = nil
        delivery.registry.metrics.ends[end].increment()
        let subscription = delivery.subscription
        delivery.subscription = nil
        subscription?.cancel()
        return stream
    }

    private func settle() {
        delivery.registry.remove(self)
        delivery.meter.end()
    }
}
