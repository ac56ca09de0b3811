internal import CUV
internal import Glibc
internal import Synchronization

/// A listening TCP socket that deals its connections out to loops in turn.
///
/// One accepting loop and a hand-over keep connections evenly spread even when there are few of them, and a port that is
/// taken is an error, which `SO_REUSEPORT` would hide. Loop-owned by the loop that accepts.
package final class TCPListener: LoopHandle {
    /// Connections accepted in one turn, so that a flood does not starve the others on the loop.
    private static let acceptsPerTurnMax = 64
    /// How long to wait when the process or system is out of descriptors.
    private static let exhaustedPause = Duration.milliseconds(100)
    /// Connections that were accepted and that their loops have not taken yet; above it accepting waits for them.
    package static let handOversMax = 128
    private static let handOverPause = Duration.milliseconds(5)
    private static let lookUpLimit = Duration.seconds(10)
    /// Turns' worth of connections that are still accepted before the end.
    private static let lastTurnsMax = 64
    /// Seconds of silence after which an idle peer is asked for a sign of life, seconds between the questions, and how
    /// many go unanswered before the connection ends (tcp(7)).
    private static let keepAlive: [(option: Int32, value: Int32)] = [
        (TCP_KEEPIDLE, 60), (TCP_KEEPINTVL, 15), (TCP_KEEPCNT, 4),
    ]

    private let descriptor: Int32
    private var targets: [Loop] = []
    private var nextTarget = 0
    private var accept: (@Sendable (ByteStream) -> Void)?
    private var onExhausted: @Sendable () -> Void = {}
    private var pause: LoopTimer?
    private let handOvers = HandOvers()

    private final class HandOvers: Sendable {
        let count = Atomic<Int>(0)
    }

    /// Binds and listens; connections wait in the kernel until ``start(on:accept:)``.
    ///
    /// `host` is a numeric address or a name; the first address it resolves to is used. Port 0 takes a free one.
    package static func listen(
        host: String,
        port: Int,
        backlog: Int32 = 4096,
        on loop: Loop
    ) async throws(NetworkError) -> TCPListener {
        guard let address = try await resolve(host: host, port: port, on: loop, within: lookUpLimit).first else {
            throw NetworkError(code: UV_EAI_NONAME.rawValue)
        }
        return try TCPListener(address: address, backlog: backlog, loop: loop)
    }

    private init(address: SocketAddress, backlog: Int32, loop: Loop) throws(NetworkError) {
        descriptor = try Self.open(address, backlog: backlog)
        super.init(on: loop, handle: UV_POLL)
        let status = uv_poll_init(loop.core.uv, pointer(as: uv_poll_t.self), descriptor)
        if status != 0 {
            closeDescriptor(descriptor)
            throw NetworkError(code: status)
        }
        adopt()
    }

    private static func open(_ address: SocketAddress, backlog: Int32) throws(NetworkError) -> Int32 {
        let family = address.withSockaddr { Int32($0.pointee.sa_family) }
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { throw NetworkError(code: -errno) }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        // What is accepted inherits these from the listening socket.
        setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, socklen_t(MemoryLayout<Int32>.size))
        for (option, value) in keepAlive {
            var value = value
            setsockopt(descriptor, Int32(IPPROTO_TCP), option, &value, socklen_t(MemoryLayout<Int32>.size))
        }
        let length = family == AF_INET6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        let bound = address.withSockaddr { bind(descriptor, $0, socklen_t(length)) }
        guard bound == 0, Glibc.listen(descriptor, backlog) == 0 else {
            let error = NetworkError(code: -errno)
            closeDescriptor(descriptor)
            throw error
        }
        return descriptor
    }

    /// The port in use, also when 0 was asked for.
    package var port: Int {
        var address = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        // Safety: both families keep the port in the same place, and an IPv6 address is the longer one.
        let status = withUnsafeMutableBytes(of: &address) { bytes in
            bytes.baseAddress.map { getsockname(descriptor, $0.assumingMemoryBound(to: sockaddr.self), &length) }
        }
        return status == 0 ? Int(UInt16(bigEndian: address.sin6_port)) : 0
    }

    /// Begins to accept.
    ///
    /// `accept` runs on the connection's own loop, which is one of `loops`; `onExhausted` each time accepting pauses
    /// because the process or the system is out of descriptors or memory.
    package func start(
        on loops: [Loop],
        onExhausted: @escaping @Sendable () -> Void = {},
        accept: @escaping @Sendable (ByteStream) -> Void
    ) {
        targets = loops
        self.accept = accept
        self.onExhausted = onExhausted
        watch()
    }

    private func watch() {
        guard !isClosed else { return }
        uv_poll_start(pointer(as: uv_poll_t.self), Int32(UV_READABLE.rawValue)) { handle, _, _ in
            LoopHandle.of(handle, as: TCPListener.self).acceptWaiting()
        }
    }

    /// Accepts a turn's worth; false when no more wait or none can be taken now.
    @discardableResult
    private func acceptWaiting(handOversMax: Int = TCPListener.handOversMax) -> Bool {
        for _ in 0..<Self.acceptsPerTurnMax {
            guard handOvers.count.load(ordering: .relaxed) < handOversMax else {
                pauseAccepting(for: Self.handOverPause)
                return false
            }
            let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            let connection = accept4(descriptor, nil, nil, flags)
            if connection >= 0 {
                handOver(connection)
                continue
            }
            switch errno {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                pauseAccepting(for: Self.exhaustedPause)
                onExhausted()
            default: break
            }
            return false
        }
        return true
    }

    /// Accepts the connections that have come already, which the kernel would reset otherwise, and closes.
    package func finish() {
        var turns = 0
        while !isClosed, turns < Self.lastTurnsMax, acceptWaiting(handOversMax: .max) { turns += 1 }
        close()
    }

    private func handOver(_ connection: Int32) {
        let target = targets[nextTarget]
        nextTarget = (nextTarget + 1) % targets.count
        guard let accept else { return closeDescriptor(connection) }
        let handOvers = handOvers
        handOvers.count.add(1, ordering: .relaxed)
        let isAccepted = target.execute {
            handOvers.count.subtract(1, ordering: .relaxed)
            if let stream = try? ByteStream(adoptingTCP: connection, on: target) { accept(stream) }
        }
        if isAccepted { return }
        handOvers.count.subtract(1, ordering: .relaxed)
        closeDescriptor(connection)
    }

    private func pauseAccepting(for duration: Duration) {
        uv_poll_stop(pointer(as: uv_poll_t.self))
        pause?.close()
        pause = loop.schedule(after: duration) { [weak self] in self?.watch() }
    }

    override func willClose() {
        pause?.close()
        accept = nil
        uv_poll_stop(pointer(as: uv_poll_t.self))
        closeDescriptor(descriptor)
    }
}

/// Closes a descriptor; an interrupted close has still closed it on Linux (close(2)).
func closeDescriptor(_ descriptor: Int32) { _ = Glibc.close(descriptor) }
