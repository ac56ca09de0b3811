internal import EventLoop
internal import Text

/// A connection above a limit: its first request is answered 503, then it closes.
///
/// A GET of an event stream is not answered: an `EventSource` connects again after a connection that broke, and never
/// after a 503. Only the head is read; one that is not complete within `headBytesMax` may be such a GET, so it is not
/// answered either. Loop-owned; the service and the stream hold it until the stream has closed.
final class RefusedConnection: ByteStreamDelegate {
    /// How long the request may take to arrive.
    private static let patience = Duration.seconds(2)
    /// How long the answer may take to be received.
    private static let linger = Duration.milliseconds(500)
    /// How much of a head is read.
    private static let headBytesMax = 4096
    private static let retryAfterSeconds = 2

    let stream: ByteStream
    private let service: HTTPService
    private var head: [UInt8] = []
    private var timer: LoopTimer?

    init(stream: ByteStream, service: HTTPService) {
        self.stream = stream
        self.service = service
        timer = stream.loop.schedule(after: Self.patience) { [unowned stream] in stream.close() }
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
        answer(isHead: text.hasPrefix("head "))
    }

    private func answer(isHead: Bool) {
        var response = service.errorResponse(
            503,
            "This replica has as many connections as it can serve. Please try again."
        )
        response.headers.append("Retry-After", String(Self.retryAfterSeconds))
        stream.write { output in
            output.appendHead(
                status: response.status,
                headers: response.headers,
                framing: .length(response.body.count),
                keepsAlive: false,
                date: service.date.now(),
            )
            if !isHead { output.append(contentsOf: response.body) }
        }
        stream.finish(linger: Self.linger)
    }

    func streamDidReachEnd() { stream.close() }
    func streamDidDrain() {}

    func streamDidClose(_ failure: StreamFailure?) {
        timer?.close()
        service.remove(self)
    }
}
