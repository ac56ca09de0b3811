internal import EventLoop

/// Receives the replies of a wire.
protocol RedisWireOwner: AnyObject {
    func wireDidReceive(_ reply: RedisReply)
    /// The wire has closed; nothing follows.
    func wireDidClose()
}

/// A socket and its reply parser.
///
/// Loop-owned; lives as long as the socket is open.
final class RedisWire: ByteStreamDelegate {
    let stream: ByteStream
    var owner: (any RedisWireOwner)?
    /// Settled once the socket is closed.
    let closed: OneShot<Void>
    /// Loop time of the last bytes received, in milliseconds.
    private(set) var receivedAt: Int64
    /// Why the wire closed; nil while it is open and after ``close(because:)`` without a reason.
    private(set) var failure: String?

    private let reader = ReplyReader()

    /// True where the commands are encrypted by TLS.
    let isSecured: Bool

    init(stream: ByteStream, isSecured: Bool) {
        self.stream = stream
        self.isSecured = isSecured
        closed = OneShot(loop: stream.loop)
        receivedAt = stream.loop.nowMilliseconds
        stream.delegate = self
        stream.startReading()
    }

    func close(because reason: String? = nil) {
        guard !stream.isClosed else { return }
        failure = reason
        stream.close()
    }

    // MARK: ByteStreamDelegate

    func streamDidRead(_ bytes: Span<UInt8>) {
        receivedAt = stream.loop.nowMilliseconds
        let violation = reader.feed(bytes) { reply in
            owner?.wireDidReceive(reply)
            return !stream.isClosed
        }
        if let violation { close(because: "malformed reply: \(violation)") }
    }

    func streamDidReachEnd() { close(because: "the server closed the connection") }

    func streamDidDrain() {}

    func streamDidClose(_ failure: StreamFailure?) {
        switch failure {
        case .network(let error): self.failure = error.description
        case .security(let reason): self.failure = reason
        case nil: break
        }
        let owner = owner
        self.owner = nil
        owner?.wireDidClose()
        closed.succeed(())
    }
}
