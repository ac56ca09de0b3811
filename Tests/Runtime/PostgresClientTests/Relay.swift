import EventLoop

/// Passes connections on to a server of this machine, holds them back or cuts them when a test says so.
///
/// Loop-owned.
final class Relay {
    /// New connections are accepted and wait; false passes on those that have waited.
    var isHolding = false {
        didSet { if !isHolding { passHeld() } }
    }

    private let loop: Loop
    private let target: Endpoint
    private let listener: TCPListener
    private var held: [ByteStream] = []
    private var passed: [ByteStream] = []

    /// Listens on a free port.
    init(to port: Int, on loop: Loop) async throws {
        self.loop = loop
        target = .tcp(host: "127.0.0.1", port: port)
        listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
        // Safety: the connections are dealt out to this very loop, on whose thread all of this runs.
        nonisolated(unsafe) let unsafeSelf = self
        listener.start(on: [loop]) { stream in unsafeSelf.accept(stream) }
    }

    var port: Int { listener.port }
    var heldCount: Int { held.count }

    /// Closes what was passed on, on both sides.
    func cut() {
        for stream in passed { stream.close() }
        passed = []
    }

    private func accept(_ stream: ByteStream) {
        held.append(stream)
        if !isHolding { passHeld() }
    }

    private func passHeld() {
        let streams = held
        held = []
        for stream in streams {
            loop.spawn { [self] in
                guard let server = try? await ByteStream.connect(to: target, on: loop, within: .seconds(30)) else {
                    return stream.close()
                }
                passed += [stream, server]
                join(stream, server)
                join(server, stream)
            }
        }
    }

    private func join(_ from: ByteStream, _ to: ByteStream) {
        from.delegate = Passage(to: to)
        from.startReading()
    }
}

/// One direction of a connection that is passed on.
private final class Passage: ByteStreamDelegate {
    private let target: ByteStream

    init(to target: ByteStream) { self.target = target }

    func streamDidRead(_ bytes: Span<UInt8>) { target.write(bytes) }
    func streamDidReachEnd() { target.finish() }
    func streamDidDrain() {}
    func streamDidClose(_ failure: StreamFailure?) { target.close() }
}
