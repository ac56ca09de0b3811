import Glibc

/// A blocking TCP client that sends exactly the given bytes.
///
/// Every read has a deadline.
package final class RawClient {
    private let descriptor: Int32
    /// Received, but not returned yet.
    private var buffer: [UInt8] = []
    private var isClosed = false

    /// Why a read returned no bytes.
    package enum Failure: Error, Equatable {
        case cannotConnect(Int32)
        case timedOut(received: String)
        case connectionEnded(received: String)
        case malformedResponse(String)
    }

    /// Connects to a port on 127.0.0.1, from the address `source` if there is one.
    ///
    /// With a small `receiveBufferBytes` the server soon has to wait for this client.
    package init(port: Int, receiveBufferBytes: Int32? = nil, source: String? = nil) throws {
        descriptor = socket(AF_INET, streamSocket, 0)
        var on: Int32 = 1
        unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
        if var bytes = receiveBufferBytes { unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, 4) }
        // Safety: a sockaddr_in, and its own length.
        let bound = source.map { unsafe Self.with($0, port: 0) { unsafe bind(descriptor, $0, $1) } } ?? 0
        let status = unsafe bound == 0 ? Self.with("127.0.0.1", port: port) { unsafe connect(descriptor, $0, $1) } : -1
        guard status == 0 else {
            let code = errno
            // `deinit` also runs if this throws: closed twice, the descriptor could be another thread's socket by then.
            close()
            throw Failure.cannotConnect(code)
        }
    }

    private static func with(
        _ host: String,
        port: Int,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = unsafe inet_addr(host)
        return unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe bytes.baseAddress.map {
                unsafe body($0.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
            } ?? -1
        }
    }

    deinit { close() }

    /// The sending side, for use on another thread; the client must outlive it.
    package var sender: RawSender { RawSender(descriptor: descriptor) }

    /// Sends everything; false when the peer has closed.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool { sender.send(bytes) }

    @discardableResult
    package func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Sends the end of the stream and keeps reading.
    package func shutdownSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Closes with a reset instead of an orderly end.
    package func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    package func close() {
        guard !isClosed else { return }
        isClosed = true
        Glibc.close(descriptor)
    }

    // MARK: Reading

    /// Reads at least one more byte into the buffer; false at the end of the stream.
    ///
    /// A reset counts as an end.
    private func readMore(until deadline: ContinuousClock.Instant) throws -> Bool {
        let left = deadline - .now
        let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard unsafe Glibc.poll(&poll, 1, Int32(max(milliseconds, 0))) > 0 else {
            throw Failure.timedOut(received: text(buffer))
        }
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        buffer.append(contentsOf: chunk[..<count])
        return true
    }

    /// Everything up to and including `end`.
    package func read(through end: String, within limit: Duration = .seconds(10)) throws -> String {
        let deadline = ContinuousClock.now + limit
        let end = Array(end.utf8)
        while true {
            if let range = buffer.firstRange(of: end) {
                defer { buffer.removeSubrange(..<range.upperBound) }
                return text(buffer[..<range.upperBound])
            }
            guard try readMore(until: deadline) else { throw Failure.connectionEnded(received: text(buffer)) }
        }
    }

    /// Exactly `count` bytes.
    package func read(count: Int, within limit: Duration = .seconds(10)) throws -> [UInt8] {
        let deadline = ContinuousClock.now + limit
        while buffer.count < count {
            guard try readMore(until: deadline) else { throw Failure.connectionEnded(received: text(buffer)) }
        }
        defer { buffer.removeSubrange(..<count) }
        return Array(buffer[..<count])
    }

    /// Everything until the peer closes.
    package func readToEnd(within limit: Duration = .seconds(10)) throws -> String {
        let deadline = ContinuousClock.now + limit
        while try readMore(until: deadline) {}
        defer { buffer = [] }
        return text(buffer)
    }

    /// True if neither bytes nor an end arrive within `limit`.
    package func isSilent(for limit: Duration) -> Bool {
        guard buffer.isEmpty else { return false }
        do {
            _ = try readMore(until: .now + limit)
            return false
        } catch {
            return true
        }
    }

    private func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }
}

/// Sends on the socket of a ``RawClient``.
package struct RawSender: Sendable {
    let descriptor: Int32

    /// Sends everything without a deadline; false when the peer has closed.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        var start = 0
        while start < bytes.count {
            let sent = unsafe bytes[start...].withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { return false }
            start += sent
        }
        return true
    }
}
