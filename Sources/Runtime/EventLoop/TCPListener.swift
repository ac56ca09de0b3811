internal import CUV
internal import Glibc
internal import Synchronization

/// A listening TCP socket that distributes its connections over loops in round-robin order.
///
/// One loop accepts and passes the connections on: with `SO_REUSEPORT` few connections would be spread unevenly, and a
/// port in use would not be reported. Owned by the loop that accepts.
package final class TCPListener: LoopHandle {
    /// Connections accepted in one turn, so that a burst does not starve the loop's other work.
    private static let acceptsPerTurnMax = 64
    /// The pause after the process or the system ran out of descriptors.
    private static let exhaustedPause = Duration.milliseconds(100)
    /// The most accepted connections that may wait for their loops; at this number accepting pauses.
    package static let handOversMax = 128
    private static let handOverPause = Duration.milliseconds(5)
    private static let lookUpLimit = Duration.seconds(10)
    /// The most turns for which ``finish()`` accepts.
    private static let lastTurnsMax = 64
    /// Seconds of silence before the first keep-alive probe, seconds between probes, and unanswered probes before the
    /// connection ends (tcp(7)).
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
    /// `host` is a numeric address or a name; its first address is used. Port 0 takes a free port.
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
        let status = unsafe uv_poll_init(loop.core.uv, pointer(as: uv_poll_t.self), descriptor)
        if status != 0 {
            closeDescriptor(descriptor)
            throw NetworkError(code: status)
        }
        adopt()
    }

    private static func open(_ address: SocketAddress, backlog: Int32) throws(NetworkError) -> Int32 {
        let family = unsafe address.withSockaddr { unsafe Int32($0.pointee.sa_family) }
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { throw NetworkError(code: -errno) }
        var on: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        // Accepted connections inherit these options from the listening socket.
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, socklen_t(MemoryLayout<Int32>.size))
        for (option, value) in keepAlive {
            var value = value
            unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), option, &value, socklen_t(MemoryLayout<Int32>.size))
        }
        let length = family == AF_INET6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        let bound = unsafe address.withSockaddr { unsafe bind(descriptor, $0, socklen_t(length)) }
        guard bound == 0, Glibc.listen(descriptor, backlog) == 0 else {
            let error = NetworkError(code: -errno)
            closeDescriptor(descriptor)
            throw error
        }
        return descriptor
    }

    /// The port in use, also when port 0 was requested.
    package var port: Int {
        var address = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        // Safety: both families store the port at the same offset, and an IPv6 address is the longer one.
        let status = unsafe withUnsafeMutableBytes(of: &address) { bytes in
            unsafe bytes.baseAddress.map {
                unsafe getsockname(descriptor, $0.assumingMemoryBound(to: sockaddr.self), &length)
            }
        }
        return status == 0 ? Int(UInt16(bigEndian: address.sin6_port)) : 0
    }

    /// Starts to accept.
    ///
    /// `accept` runs on the connection's own loop, which is one of `loops`; `onExhausted` runs each time accepting pauses
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
        unsafe uv_poll_start(pointer(as: uv_poll_t.self), Int32(UV_READABLE.rawValue)) { handle, _, _ in
            unsafe LoopHandle.of(handle, as: TCPListener.self).acceptWaiting()
        }
    }

    /// Accepts the connections of one turn; false when no more are waiting or none can be accepted now.
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

    /// Accepts the waiting connections, which the kernel would otherwise reset, and closes.
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
        unsafe uv_poll_stop(pointer(as: uv_poll_t.self))
        pause?.close()
        pause = loop.schedule(after: duration) { [weak self] in self?.watch() }
    }

    override func willClose() {
        pause?.close()
        accept = nil
        unsafe uv_poll_stop(pointer(as: uv_poll_t.self))
        closeDescriptor(descriptor)
    }
}

/// Closes a descriptor; on Linux an interrupted close(2) has closed it, too.
func closeDescriptor(_ descriptor: Int32) { _ = Glibc.close(descriptor) }
