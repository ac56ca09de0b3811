internal import Application
internal import EventLoop
internal import HTTPServer
internal import Instrumentation
internal import Shared
internal import Telemetry

/// The HTTP response of one viewer, with what every such viewer has in common: back-pressure, counters, its place in the
/// registry, and exactly one end.
///
/// ```
///  new ──open──► open ──end: the server completes the response──► ended
///   │             ├────abort: the client has vanished───────────► ended
///   │             └────didClose: the connection is gone─────────► ended
///   └──open, when the connection is gone already─────────────────► ended
/// ```
final class ViewerResponse {
    let registry: StreamRegistry
    /// Whose access the response depends on.
    let access: CallerAccess
    /// Loop time of the last write, in milliseconds.
    private(set) var lastWrite: Int64 = 0
    var meter: DeliveryMeter
    /// Where the events come from, while they do.
    var subscription: (any AnswerSubscription)?

    private var stream: HTTPResponseStream?

    init(registry: StreamRegistry, access: CallerAccess, meter: DeliveryMeter) {
        self.registry = registry
        self.access = access
        self.meter = meter
    }

    /// False where the connection is gone already.
    func open(_ stream: HTTPResponseStream, for viewer: any LiveViewer) -> Bool {
        guard !stream.isClosed else {
            meter.end()
            return false
        }
        self.stream = stream
        registry.add(viewer)
        registry.metrics.opened.increment()
        return true
    }

    // MARK: Writing

    var pendingBytes: Int { stream?.pendingBytes ?? 0 }

    /// Whether the client's buffer has room for a frame of `bytes`, at most; a single frame always fits.
    ///
    /// If not, the delegate is called when the client has taken what was written.
    func hasRoom(forFrameOf bytes: Int) -> Bool {
        guard let stream else { return false }
        let pending = stream.pendingBytes
        if pending == 0 || pending + bytes <= registry.bufferBytesMax { return true }
        registry.metrics.stalled.increment()
        stream.awaitDrain()
        return false
    }

    /// Lets `body` append to the connection's output.
    func write(_ body: (inout [UInt8]) -> Void) {
        guard let stream else { return }
        lastWrite = registry.loop.nowMilliseconds
        stream.write(body)
    }

    // MARK: Ends

    /// Completes the response.
    func end(_ end: StreamEnd, of viewer: any LiveViewer) {
        guard let stream = detach(end) else { return }
        registry.loop.executeSoon { [registry, meter] in
            registry.remove(viewer)
            meter.end()
        }
        stream.end()
    }

    /// Closes the connection of a client that has acknowledged nothing for `silenceMax` milliseconds.
    func abortIfVanished(after silenceMax: Int64, _ viewer: any LiveViewer) {
        guard let stream, stream.clientSilenceMilliseconds >= silenceMax else { return }
        stream.abort()
        leave(.vanished, viewer)
    }

    /// The connection is gone.
    func didClose(because loss: StreamLoss, _ viewer: any LiveViewer) {
        switch loss {
        case .clientLeft: leave(.clientClosed, viewer)
        case .failed: leave(.connectionFailed, viewer)
        case .stalled: leave(.stalled, viewer)
        case .serverClosed: leave(.shutDown, viewer)
        }
    }

    private func leave(_ end: StreamEnd, _ viewer: any LiveViewer) {
        guard detach(end) != nil else { return }
        registry.remove(viewer)
        meter.end()
    }

    /// Ends the deliveries; nil where that has happened before.
    private func detach(_ end: StreamEnd) -> HTTPResponseStream? {
        guard let stream else { return nil }
        self.stream = nil
        registry.metrics.ends[end].increment()
        let subscription = subscription
        self.subscription = nil
        subscription?.cancel()
        return stream
    }
}
