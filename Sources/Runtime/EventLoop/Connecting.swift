internal import CUV
internal import Glibc

/// An address to connect to or to listen on.
package enum Endpoint: Sendable, Hashable, CustomStringConvertible {
    /// A host name or numeric address (IPv6 without brackets) and a port from 0 to 65,535.
    case tcp(host: String, port: Int)
    /// A Unix-domain socket.
    case unix(path: String)

    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): path
        }
    }
}

/// The longest path that fits into `sockaddr_un`, without the final zero (unix(7)).
private let unixPathBytesMax = 107

extension ByteStream {
    /// Connects within `limit`, which covers the name lookup and all addresses.
    ///
    /// The next address of a name is tried after 250 ms or as soon as one fails; the first successful connection is used.
    /// Throws the error of the last failed address, `timedOut` at the limit, `cancelled` when the task is cancelled.
    package static func connect(
        to endpoint: Endpoint,
        on loop: Loop,
        within limit: Duration
    ) async throws(NetworkError) -> ByteStream {
        switch endpoint {
        case .unix(let path):
            // libuv would truncate the path and connect to another socket.
            guard path.utf8.count <= unixPathBytesMax else { throw NetworkError(code: UV_ENAMETOOLONG.rawValue) }
            return try await ByteStream(loop: loop, type: UV_NAMED_PIPE).connect(toSocket: path, within: limit)
        case .tcp(let host, let port):
            let deadline = ContinuousClock.now + limit
            let addresses = try await resolve(host: host, port: port, on: loop, within: limit)
            let stream = try await ConnectRace(addresses, on: loop).run(within: deadline - .now)
            stream.disableNagle()
            return stream
        }
    }

    private func connect(toSocket path: String, within limit: Duration) async throws(NetworkError) -> ByteStream {
        let result = OneShot<Int32>(loop: loop)
        _ = unsafe ConnectRequest { result.succeed($0) }.start { request in
            unsafe uv_pipe_connect(request, pointer(as: uv_pipe_t.self), path, ConnectRequest.done)
            return 0
        }
        let timer = loop.schedule(after: limit) { result.succeed(NetworkError.timedOut.code) }
        defer { timer.close() }
        do {
            try check(await result.value())
            return self
        } catch {
            close()
            throw error as? NetworkError ?? .cancelled
        }
    }
}

// MARK: - Addresses

extension Loop {
    /// The numeric addresses of a host in order of preference, for C libraries whose own lookup would block.
    ///
    /// Throws the resolver's error, `timedOut` at the limit, `cancelled` when the task is cancelled. To be called from a
    /// task of this loop.
    package nonisolated(nonsending) func addresses(
        of host: String,
        within limit: Duration
    ) async throws(NetworkError) -> [String] {
        try await resolve(host: host, port: 0, on: self, within: limit).compactMap(\.numericHost)
    }
}

/// A resolved address.
struct SocketAddress {
    private var storage: sockaddr_storage

    /// Safety: `address` must point to `length` readable bytes.
    @unsafe init(copying address: UnsafePointer<sockaddr>, length: Int) {
        storage = sockaddr_storage()
        // Safety: `sockaddr_storage` is large enough for any address; the count is cut to its size.
        unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(start: address, count: min(length, bytes.count)))
        }
    }

    /// `AF_INET` or `AF_INET6`.
    var family: sa_family_t { storage.ss_family }

    /// The address as text, with the zone of a link-local address; nil outside the internet families.
    var numericHost: String? {
        let isVersion4 = family == sa_family_t(AF_INET)
        let length = isVersion4 ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
        var text = [UInt8](repeating: 0, count: Int(NI_MAXHOST))
        let status = unsafe text.withUnsafeMutableBytes { text in
            unsafe withSockaddr { address in
                let characters = unsafe text.baseAddress?.assumingMemoryBound(to: CChar.self)
                return unsafe getnameinfo(
                    address,
                    socklen_t(length),
                    characters,
                    socklen_t(text.count),
                    nil,
                    0,
                    NI_NUMERICHOST
                )
            }
        }
        return status == 0 ? String(decoding: text.prefix { $0 != 0 }, as: UTF8.self) : nil
    }

    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>) -> Result) -> Result {
        unsafe withUnsafeBytes(of: storage) { bytes in
            guard let base = bytes.baseAddress else { preconditionFailure("a stored address has no memory") }
            return unsafe body(base.assumingMemoryBound(to: sockaddr.self))
        }
    }
}

/// Resolves a name on libuv's thread pool; numeric addresses are returned unchanged.
///
/// Throws `timedOut` at the limit; the lookup itself cannot be cancelled and continues in the pool.
func resolve(
    host: String,
    port: Int,
    on loop: Loop,
    within limit: Duration,
) async throws(NetworkError) -> [SocketAddress] {
    let lookup = Lookup(loop: loop)
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    // Safety: libuv owns this reference until the callback, which runs exactly once.
    unsafe lookup.request.pointee.data = unsafe Unmanaged.passRetained(lookup).toOpaque()
    let status = unsafe uv_getaddrinfo(
        loop.core.uv,
        lookup.request,
        { request, status, list in
            defer { unsafe uv_freeaddrinfo(list) }
            guard let data = unsafe request?.pointee.data else { return }
            unsafe Unmanaged<Lookup>.fromOpaque(data).takeRetainedValue().finish(status, list)
        },
        host,
        String(port),
        &hints,
    )
    if status != 0 {
        unsafe Unmanaged.passUnretained(lookup).release()
        throw NetworkError(code: status)
    }
    let timer = loop.schedule(after: limit) { lookup.result.succeed(.failure(.timedOut)) }
    defer { timer.close() }
    do {
        switch try await lookup.result.value() {
        case .success(let addresses): return addresses
        case .failure(let error): throw error
        }
    } catch {
        throw error as? NetworkError ?? .cancelled
    }
}

/// A pending name lookup.
///
/// Safety: `@safe` because the request lives as long as the object, and libuv holds a reference while it uses it.
@safe private final class Lookup {
    let result: OneShot<Result<[SocketAddress], NetworkError>>
    let request = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)

    init(loop: Loop) { result = OneShot(loop: loop) }

    deinit { unsafe request.deallocate() }

    func finish(_ status: Int32, _ list: UnsafeMutablePointer<addrinfo>?) {
        guard status == 0 else {
            result.succeed(.failure(NetworkError(code: status)))
            return
        }
        var addresses: [SocketAddress] = []
        var next = unsafe list
        while let entry = unsafe next {
            if let address = unsafe entry.pointee.ai_addr {
                unsafe addresses.append(SocketAddress(copying: address, length: Int(entry.pointee.ai_addrlen)))
            }
            unsafe next = unsafe entry.pointee.ai_next
        }
        result.succeed(.success(addresses))
    }
}
