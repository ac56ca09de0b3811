internal import CUV

/// Connects to the first of several addresses that answers (RFC 8305, "happy eyeballs").
///
/// ```
///  address 1 ──────────────────────────────► connected: the others are closed
///      250 ms │ or its failure
///             └► address 2 ────────► connected
///                    250 ms │ or its failure
///                           └► …
/// ```
/// An address that drops packets delays the connection by 250 ms instead of the whole limit. Loop-owned; used once.
final class ConnectRace {
    /// The delay before the next address is tried in parallel (RFC 8305, section 8).
    static let stagger = Duration.milliseconds(250)

    private let loop: Loop
    private let stagger: Duration
    private var waiting: ArraySlice<SocketAddress>
    private var attempts: [ByteStream] = []
    private var nextStart: LoopTimer?
    private let outcome: OneShot<Result<ByteStream, NetworkError>>

    /// `addresses` come in the resolver's order of preference; the race alternates between the families.
    init(_ addresses: [SocketAddress], on loop: Loop, stagger: Duration = ConnectRace.stagger) {
        self.loop = loop
        self.stagger = stagger
        waiting = Self.interleaved(addresses)[...]
        outcome = OneShot(loop: loop)
    }

    /// Throws the error of the last failed address, `timedOut` at the limit, `cancelled` when the task is cancelled.
    func run(within limit: Duration) async throws(NetworkError) -> ByteStream {
        let timer = loop.schedule(after: limit) { self.settle(.failure(.timedOut)) }
        defer {
            timer.close()
            end()
        }
        startNext(after: NetworkError(code: UV_EAI_NONAME.rawValue))
        let result: Result<ByteStream, NetworkError>
        do {
            result = try await outcome.value()
        } catch {
            throw .cancelled
        }
        return try result.get()
    }

    /// Tries the next address; fails with `failure` when none is left and no attempt is pending.
    private func startNext(after failure: NetworkError) {
        nextStart?.close()
        nextStart = nil
        guard !outcome.isSettled else { return }
        guard let address = waiting.popFirst() else {
            if attempts.isEmpty { settle(.failure(failure)) }
            return
        }
        nextStart = loop.schedule(after: stagger) { self.startNext(after: failure) }
        do throws(NetworkError) {
            try start(address)
        } catch {
            startNext(after: error)
        }
    }

    private func start(_ address: SocketAddress) throws(NetworkError) {
        let stream = try ByteStream(loop: loop, type: UV_TCP)
        attempts.append(stream)
        let request = ConnectRequest { [self] status in ended(stream, status) }
        let status = unsafe request.start { request in
            unsafe address.withSockaddr {
                unsafe uv_tcp_connect(request, stream.pointer(as: uv_tcp_t.self), $0, ConnectRequest.done)
            }
        }
        guard status == 0 else {
            drop(stream)
            throw NetworkError(code: status)
        }
    }

    private func ended(_ stream: ByteStream, _ status: Int32) {
        guard !outcome.isSettled else { return }
        guard status == 0 else {
            drop(stream)
            return startNext(after: NetworkError(code: status))
        }
        attempts.removeAll { $0 === stream }
        settle(.success(stream))
    }

    private func drop(_ stream: ByteStream) {
        attempts.removeAll { $0 === stream }
        stream.close()
    }

    private func settle(_ result: Result<ByteStream, NetworkError>) {
        end()
        outcome.succeed(result)
    }

    /// Closes the pending attempts.
    private func end() {
        nextStart?.close()
        nextStart = nil
        waiting = []
        for stream in attempts { stream.close() }
        attempts = []
    }

    /// Alternates between the families, starting with that of the first address; each keeps its order (RFC 8305,
    /// section 4).
    static func interleaved(_ addresses: [SocketAddress]) -> [SocketAddress] {
        guard let first = addresses.first else { return [] }
        let preferred = addresses.filter { $0.family == first.family }
        let others = addresses.filter { $0.family != first.family }
        var order: [SocketAddress] = []
        for index in 0..<max(preferred.count, others.count) {
            if index < preferred.count { order.append(preferred[index]) }
            if index < others.count { order.append(others[index]) }
        }
        return order
    }
}

/// A connect request of libuv and its completion.
///
/// Safety: `@safe` because the request lives as long as the object, and libuv holds a reference while it uses it.
@safe final class ConnectRequest {
    private let request = UnsafeMutablePointer<uv_connect_t>.allocate(capacity: 1)
    private let completion: (Int32) -> Void

    init(_ completion: @escaping (Int32) -> Void) { self.completion = completion }

    deinit { unsafe request.deallocate() }

    /// Calls `begin`, which passes the request to libuv with ``done``; returns libuv's status.
    ///
    /// The completion is not called when the status is not 0.
    func start(_ begin: (UnsafeMutablePointer<uv_connect_t>) -> Int32) -> Int32 {
        // Safety: libuv owns this reference until ``done``, which runs exactly once, also on close.
        unsafe request.pointee.data = unsafe Unmanaged.passRetained(self).toOpaque()
        let status = unsafe begin(request)
        if status != 0 { unsafe Unmanaged.passUnretained(self).release() }
        return status
    }

    static let done: uv_connect_cb = { request, status in
        guard let data = unsafe request?.pointee.data else { return }
        unsafe Unmanaged<ConnectRequest>.fromOpaque(data).takeRetainedValue().completion(status)
    }
}
