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
/// So an address that drops packets costs 250 ms and not the whole limit. Loop-owned; for one connection.
final class ConnectRace {
    /// How long an address is alone before the next one is tried as well (RFC 8305, section 8).
    static let stagger = Duration.milliseconds(250)

    private let loop: Loop
    private let stagger: Duration
    private var waiting: ArraySlice<SocketAddress>
    private var attempts: [ByteStream] = []
    private var nextStart: LoopTimer?
    private let outcome: OneShot<Result<ByteStream, NetworkError>>

    /// `addresses` in the order of preference, which the resolver gives; the families take turns.
    init(_ addresses: [SocketAddress], on loop: Loop, stagger: Duration = ConnectRace.stagger) {
        self.loop = loop
        self.stagger = stagger
        waiting = Self.interleaved(addresses)[...]
        outcome = OneShot(loop: loop)
    }

    /// Throws the error of the address that failed last, `timedOut` at the limit, `cancelled` when the task is cancelled.
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

    /// Starts with the next address, or gives up with `failure` where there is none and nothing is under way.
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
        let status = request.start { request in
            address.withSockaddr { uv_tcp_connect(request, stream.pointer(as: uv_tcp_t.self), $0, ConnectRequest.done) }
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

    /// Closes what is under way.
    private func end() {
        nextStart?.close()
        nextStart = nil
        waiting = []
        for stream in attempts { stream.close() }
        attempts = []
    }

    /// The families in turn, beginning with the first address's, each in its own order (RFC 8305, section 4).
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

/// A connect request of libuv and what happens at its end.
final class ConnectRequest {
    private let request = UnsafeMutablePointer<uv_connect_t>.allocate(capacity: 1)
    private let completion: (Int32) -> Void

    init(_ completion: @escaping (Int32) -> Void) { self.completion = completion }

    deinit { request.deallocate() }

    /// Hands the request to `begin`, which passes it to libuv with ``done``; returns libuv's status.
    ///
    /// With a status other than 0 the completion is not called.
    func start(_ begin: (UnsafeMutablePointer<uv_connect_t>) -> Int32) -> Int32 {
        // Safety: libuv owns this reference until ``done`` runs, which it does exactly once, also on close.
        request.pointee.data = Unmanaged.passRetained(self).toOpaque()
        let status = begin(request)
        if status != 0 { Unmanaged.passUnretained(self).release() }
        return status
    }

    static let done: uv_connect_cb = { request, status in
        guard let data = request?.pointee.data else { return }
        Unmanaged<ConnectRequest>.fromOpaque(data).takeRetainedValue().completion(status)
    }
}
