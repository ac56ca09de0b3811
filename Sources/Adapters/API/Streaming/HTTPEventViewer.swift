internal import Application
internal import Domain
internal import HTTPServer
internal import Instrumentation

/// A viewer that gets its events in the body of an HTTP response: all of it but the encoder.
///
/// A conforming class is not generic, so that the compiler specialises these methods for its encoder: a token costs one
/// dynamic call, that of ``AnswerViewer``.
///
/// The client's buffer is bounded: an event that does not fit is left in the store and read again once the client has
/// taken what it has.
protocol HTTPEventViewer: AnswerViewer, LiveViewer, HTTPResponseStreamDelegate {
    associatedtype Encoder: EventEncoder
    var encoder: Encoder { get set }
    var response: ViewerResponse { get }
}

/// How soon a client whose stream is ended reconnects: jittered, so that not all come back at once, and short enough that
/// no student sees a pause of two seconds.
private let retryMilliseconds = 100...1500

extension HTTPEventViewer {
    /// Begins the response; `watch` starts the deliveries to this viewer.
    func start(_ stream: HTTPResponseStream, _ watch: (Self) -> (any AnswerSubscription)?) {
        guard response.open(stream, for: self) else { return }
        response.write { encoder.begin(into: &$0) }
        guard !response.registry.isEnding else { return interrupt(.drained) }
        response.subscription = watch(self)
    }

    /// Ends the response between two events, with a hint when to reconnect.
    func interrupt(_ end: StreamEnd) {
        let closure = StreamClosure.interrupted(retryMilliseconds: Int.random(in: retryMilliseconds))
        response.write { encoder.end(closure, into: &$0) }
        response.end(end, of: self)
    }

    // MARK: AnswerViewer

    func hasRoom(for event: AnswerEvent) -> Bool {
        response.hasRoom(forFrameOf: event.data.count + Encoder.frameBytesMax)
    }

    func deliver(_ event: AnswerEvent) {
        response.meter.note(event)
        response.write { encoder.encode(event, into: &$0) }
    }

    func answerDidEnd(_ end: AnswerEnd) {
        response.subscription = nil
        switch end {
        case .terminal:
            response.write { encoder.end(.terminal, into: &$0) }
            response.end(.ended, of: self)
        case .gone:
            response.write { encoder.end(.gone, into: &$0) }
            response.end(.gone, of: self)
        }
    }

    // MARK: LiveViewer

    var access: CallerAccess { response.access }
    var lastWrite: Int64 { response.lastWrite }
    var pendingBytes: Int { response.pendingBytes }

    func sendHeartbeat() {
        // A client that does not take its bytes gets no more of them.
        guard response.pendingBytes == 0 else { return }
        response.write { encoder.heartbeat(into: &$0) }
    }

    func closeIfVanished(after silenceMax: Int64) { response.abortIfVanished(after: silenceMax, self) }

    func endForDrain() { interrupt(.drained) }

    func endForWithdrawal() { interrupt(.withdrawn) }

    // MARK: HTTPResponseStreamDelegate

    func responseStreamDidDrain(_ stream: HTTPResponseStream) { response.subscription?.resume() }

    func responseStreamDidClose(_ stream: HTTPResponseStream, because loss: StreamLoss) {
        response.didClose(because: loss, self)
    }
}
