import EventLoop

/// Forwards connections to a local server; a test can hold new connections and cut forwarded ones.
///
/// Loop-owned.
final class Relay {
    /// New connections are accepted and wait; false forwards those that have waited.
    var isHolding = false {
        didSet { if !isHolding { forwardHeld() } }
    }

    private let loop: Loop
    private let target: Endpoint
    private let listener: TCPListener
    private var held: [ByteStream] = []
    private var forwarded: [ByteStream] = []

    /// Listens on a free port.
    init(to port: Int, on loop: Loop) async throws {
        self.loop = loop
        target = .tcp(host: "127.0.0.1", port: port)
        listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
        // Safety: the listener distributes connections to this loop only, on whose thread all of this runs.
        nonisolated(unsafe) let unsafeSelf = self
        listener.start(on: [loop]) { stream in unsafe unsafeSelf.accept(stream) }
    }

    var port: Int { listener.port }
    var heldCount: Int { held.count }

    /// Closes both sides of every forwarded connection.
    func cut() {
        for stream in forwarded { stream.close() }
        forwarded = []
    }

    private func accept(_ stream: ByteStream) {
        held.append(stream)
        if !isHolding { forwardHeld() }
    }

    private func forwardHeld() {
        let streams = held
        held = []
        for stream in streams {
            loop.spawn { [self] in
                guard let server = try? await ByteStream.connect(to: target, on: loop, within: .seconds(30)) else {
                    return stream.close()
                }
                forwarded += [stream, server]
                join(stream, server)
                join(server, stream)
            }
        }
    }

    private func join(_ from: ByteStream, _ to: ByteStream) {
        from.delegate = Forwarding(to: to)
        from.startReading()
    }
}

/// One direction of a forwarded connection.
private final class Forwarding: ByteStreamDelegate {
    private let target: ByteStream

    init(to target: ByteStream) { self.target = target }

    func streamDidRead(_ bytes: Span<UInt8>) { target.write(bytes) }
    func streamDidReachEnd() { target.finish() }
    func streamDidDrain() {}
    func streamDidClose(_ failure: StreamFailure?) { target.close() }
}
