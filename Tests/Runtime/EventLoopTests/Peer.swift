import EventLoop
import Glibc
import TestSupport

/// The other end of a connection: a bare descriptor that never blocks, so that a test on the loop can use it.
final class Peer {
    enum Kind {
        case tcp
        /// Of local sockets.
        case stream
        /// Of local sockets, where each write(2) of the one side is one read of the other.
        case packets
    }

    /// What was there to read.
    enum Found: Equatable {
        case nothing
        case end
        case bytes([UInt8])
        case failure(Int32)
    }

    struct NoSocket: Error {
        let code: Int32
    }

    private(set) var descriptor: Int32

    init(descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    deinit { close() }

    /// A stream and its other end.
    static func pair(_ kind: Kind = .stream, bufferBytes: Int32? = nil, on loop: Loop) throws -> (ByteStream, Peer) {
        let ends = try sockets(kind)
        if var bytes = bufferBytes {
            for end in ends {
                unsafe setsockopt(end, SOL_SOCKET, SO_SNDBUF, &bytes, 4)
                unsafe setsockopt(end, SOL_SOCKET, SO_RCVBUF, &bytes, 4)
            }
        }
        return (try ByteStream(adoptingTCP: ends[0], on: loop), Peer(descriptor: ends[1]))
    }

    /// Two connected sockets.
    static func sockets(_ kind: Kind) throws -> [Int32] {
        var ends: [Int32] = [-1, -1]
        switch kind {
        case .stream:
            guard unsafe socketpair(AF_UNIX, streamSocket, 0, &ends) == 0 else { throw NoSocket(code: errno) }
        case .packets:
            guard unsafe socketpair(AF_UNIX, packetSocket, 0, &ends) == 0 else {
                throw NoSocket(code: errno)
            }
        case .tcp:
            let listening = try listeningSocket(backlog: 1)
            defer { Glibc.close(listening.descriptor) }
            ends[0] = try connectingSocket(to: listening.port, blocking: true)
            ends[1] = accept(listening.descriptor, nil, nil)
        }
        return ends
    }

    /// A socket that listens on a free port of 127.0.0.1.
    static func listeningSocket(backlog: Int32) throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, streamSocket, 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port: Int? = unsafe withLoopbackAddress(port: 0) { address in
            guard unsafe bind(descriptor, address, length) == 0, listen(descriptor, backlog) == 0,
                unsafe getsockname(descriptor, address, &length) == 0
            else { return nil }
            return unsafe address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                unsafe Int(UInt16(bigEndian: $0.pointee.sin_port))
            }
        }
        guard let port else { throw NoSocket(code: errno) }
        return (descriptor, port)
    }

    /// A socket that has connected, or is about to, to a port of 127.0.0.1.
    static func connectingSocket(to port: Int, blocking: Bool) throws -> Int32 {
        let type = streamSocket | (blocking ? 0 : Int32(SOCK_NONBLOCK.rawValue))
        let descriptor = socket(AF_INET, type, 0)
        let status = unsafe withLoopbackAddress(port: port) { address in
            unsafe connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        guard status == 0 || errno == EINPROGRESS else { throw NoSocket(code: errno) }
        return descriptor
    }

    private static func withLoopbackAddress<Result>(
        port: Int,
        _ body: (UnsafeMutablePointer<sockaddr>) -> Result
    ) -> Result {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = unsafe inet_addr("127.0.0.1")
        return unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
        }
    }

    // MARK: Using it

    /// One read(2).
    func read(atMost bytesMax: Int = 1 << 18) -> Found {
        var bytes = [UInt8](repeating: 0, count: bytesMax)
        let count = unsafe recv(descriptor, &bytes, bytesMax, 0)
        if count == 0 { return .end }
        if count < 0 { return errno == EAGAIN ? .nothing : .failure(errno) }
        return .bytes(Array(bytes[..<count]))
    }

    /// The next read that returns bytes.
    func nextRead(on loop: Loop) async throws -> Found {
        var found = Found.nothing
        try await eventually("something arrives at the peer", on: loop) {
            found = read()
            return found != .nothing
        }
        return found
    }

    /// Everything until the end or a failure, which comes last.
    func readToEnd(on loop: Loop) async throws -> (bytes: [UInt8], end: Found) {
        var bytes: [UInt8] = []
        while true {
            switch try await nextRead(on: loop) {
            case .bytes(let more): bytes += more
            case let end: return (bytes, end)
            }
        }
    }

    @discardableResult
    func write(_ text: String) -> Int {
        let bytes = Array(text.utf8)
        return unsafe send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    func finishWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Ends a TCP connection with a reset.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    func close() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }
}
