internal import EventLoop
internal import Text

/// A connection above a limit: its first request is answered 503, then it closes.
///
/// A GET of an event stream gets no response: an `EventSource` reconnects after a connection that broke, and never after a
/// 503. Only the head is read. A head that is not complete within `headBytesMax` may be such a GET, so it gets no response
/// either. Loop-owned; the service and the stream retain it until the stream has closed.
final class RefusedConnection: ByteStreamDelegate {
    /// How long the request may take to arrive.
    private static let requestTimeout = Duration.seconds(2)
    /// How long the response may take to be received.
    private static let linger = Duration.milliseconds(500)
    /// How much of a head is read.
    private static let headBytesMax = 4096
    private static let retryAfterSeconds = 2

    let stream: ByteStream
    private let service: HTTPService
    private let limit: ConnectionLimit
    private var head: [UInt8] = []
    private var timer: LoopTimer?

    init(stream: ByteStream, service: HTTPService, _ limit: ConnectionLimit) {
        self.stream = stream
        self.service = service
        self.limit = limit
        timer = stream.loop.schedule(after: Self.requestTimeout) { [unowned stream] in stream.close() }
    }

    func streamDidRead(_ bytes: Span<UInt8>) {
        head.append(copying: bytes.extracting(first: min(Self.headBytesMax - head.count, bytes.count)))
        let isComplete = head.firstRange(of: [0x0D, 0x0A, 0x0D, 0x0A]) != nil
        guard isComplete else {
            if head.count == Self.headBytesMax { stream.close() }
            return
        }
        let text = String(decoding: head, as: UTF8.self).lowercased()
        if text.hasPrefix("get "), text.contains("text/event-stream") { return stream.close() }
        respond(isHead: text.hasPrefix("head "))
    }

    private func respond(isHead: Bool) {
        let detail =
            limit == .addressConnections
            ? "Your address has as many connections as it may. Please close one and try again."
            : "This replica has as many connections as it can serve. Please try again."
        var response = service.errorResponse(503, detail, RefusedRequest(head: head))
        response.headers.append("Retry-After", String(Self.retryAfterSeconds))
        service.write(response, to: stream, isHead: isHead, keepsAlive: false)
        stream.finish(linger: Self.linger)
    }

    func streamDidReachEnd() { stream.close() }
    func streamDidDrain() {}

    func streamDidClose(_ failure: StreamFailure?) {
        timer?.close()
        service.remove(self)
    }
}
