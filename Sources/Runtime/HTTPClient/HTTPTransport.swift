internal import CCurl
package import EventLoop
internal import FoundationEssentials

/// What all requests of a transport share.
package struct HTTPTransportOptions: Sendable {
    /// Who may sign servers' certificates: a PEM file, first the one that `SSL_CERT_FILE` names, as it is for all that
    /// uses OpenSSL; nil for the system's authorities.
    package var certificateAuthorityFile = ProcessInfo.processInfo.environment["SSL_CERT_FILE"]
    /// Connections kept open for the next request.
    package var idleConnectionsMax = 64
    /// `User-Agent` of requests that bring none.
    package var userAgent = "lemma"

    /// The defaults.
    package init() {}
}

/// Sends HTTP requests from one loop: libcurl's multi interface, driven by the loop's polls and timers.
///
/// ```
///  perform ─► curl_multi_add_handle        socket ready ──┐
///                     │                    timer due ─────┴─► curl_multi_socket_action ─► callbacks of the transfer
///                     └─► asks for polls and a timer ◄────────────────┘        done ─► perform returns
/// ```
/// HTTP/1.1, and HTTP/2 where a TLS server offers it; a connection serves one request after the other, never two at
/// once, so that the end of a request can be the end of its socket; redirects are not followed. A POST is written once at
/// most: where its connection dies before a response, it fails as closed, and its sender decides. A GET is sent again on a
/// new connection. Loop-owned; close it before its loop stops.
package final class HTTPTransport {
    package let loop: Loop
    let options: HTTPTransportOptions
    private let multi: UnsafeMutableRawPointer
    private var transfers: [UnsafeMutableRawPointer: HTTPTransfer] = [:]
    private var polls: [curl_socket_t: SocketPoll] = [:]
    private var timer: LoopTimer?
    private var isInsideLibrary = false
    private var isClosed = false
    private var isCleanedUp = false
    /// How long the rest of a response may take whose reader has enough.
    private static let lingeringLimit = Duration.seconds(1)

    /// Makes a transport without connections.
    ///
    /// *Loop thread.*
    package init(on loop: Loop, options: HTTPTransportOptions = HTTPTransportOptions()) {
        loop.assertCurrent()
        precondition(Library.isReady, "libcurl could not be initialised")
        guard let multi = curl_multi_init() else { preconditionFailure("no memory is left for libcurl") }
        self.loop = loop
        self.options = options
        self.multi = multi
        // Safety: the callbacks only come out of calls on `multi`, which `self` makes and which end with `cleanUp()`.
        let context = Unmanaged.passUnretained(self).toOpaque()
        let status = lemma_curl_multi_set_callbacks(
            multi,
            { _, socket, what, context, _ in HTTPTransport.of(context).watch(socket, what) ? 0 : -1 },
            { _, milliseconds, context in
                HTTPTransport.of(context).setTimer(milliseconds)
                return 0
            },
            context,
        )
        precondition(status == CURLM_OK, "libcurl refused the callbacks of its multi interface")
        lemma_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, options.idleConnectionsMax)
        lemma_curl_multi_set_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
    }

    deinit { if !isCleanedUp { cleanUp() } }

    /// Sends a request and hands over the response as it arrives; returns when it is complete, or was stopped.
    ///
    /// `onResponse` is called once, then `onBody` for each piece, whose bytes are only valid during the call; neither is
    /// called after `perform` has ended. `waitForRoom` is awaited after each ``HTTPReadDecision/pause``; with false the
    /// request ends as cancelled. Cancelling the task ends the request at once and closes its connection.
    package func perform(
        _ request: HTTPClientRequest,
        onResponse: @escaping (HTTPClientResponse) -> HTTPReadDecision,
        onBody: @escaping (UnsafeRawBufferPointer) -> HTTPReadDecision,
        waitForRoom: () async -> Bool = { true }
    ) async throws(HTTPClientError) {
        loop.assertCurrent()
        guard !isClosed, !Task.isCancelled else { throw .cancelled }
        let transfer = try HTTPTransfer(
            request,
            options: options,
            loop: loop,
            onResponse: onResponse,
            onBody: onBody,
        )
        transfers[transfer.easy] = transfer
        // A callback of another transfer may be what sends this request; libcurl must not be entered twice.
        if isInsideLibrary { loop.executeSoon { self.begin(transfer) } } else { begin(transfer) }
        defer { finish(transfer) }
        while true {
            switch try? await transfer.nextStep() {
            case .ended(nil): return
            case .ended(let failure?): throw failure
            case .paused where await waitForRoom(): resume(transfer)
            case .paused, nil: throw .cancelled
            }
        }
    }

    /// Sends a request and returns the whole response, whose body is at most 1 MiB unless the request says otherwise.
    package func collect(
        _ request: HTTPClientRequest
    ) async throws(HTTPClientError) -> (response: HTTPClientResponse, body: [UInt8]) {
        var request = request
        request.limits.bodyBytesMax = request.limits.bodyBytesMax ?? 1 << 20
        var response: HTTPClientResponse?
        var body: [UInt8] = []
        try await perform(request) { head in
            response = head
            return .proceed
        } onBody: { bytes in
            body.append(contentsOf: bytes)
            return .proceed
        }
        guard let response else { throw .protocolViolation }
        return (response, body)
    }

    /// Ends all requests as cancelled and closes every connection; idempotent.
    ///
    /// *Loop thread.*
    package func close() {
        loop.assertCurrent()
        guard !isClosed else { return }
        isClosed = true
        for transfer in transfers.values {
            if transfer.isLingering { remove(transfer) } else { transfer.end(.cancelled) }
        }
        if transfers.isEmpty, !isCleanedUp { cleanUp() }
    }

    // MARK: Transfers

    private func begin(_ transfer: HTTPTransfer) {
        guard transfers[transfer.easy] != nil, !isClosed else { return }
        transfer.begin()
        let status = insideLibrary { curl_multi_add_handle(multi, transfer.easy) }
        if status != CURLM_OK { transfer.end(.failed(code: UInt32(bitPattern: status.rawValue))) }
    }

    private func resume(_ transfer: HTTPTransfer) {
        isInsideLibrary = true
        transfer.resume()
        isInsideLibrary = false
    }

    /// Runs in the task that waited, never inside a callback of libcurl.
    private func finish(_ transfer: HTTPTransfer) {
        guard transfer.isLingering, !transfer.isDone, !isClosed else { return remove(transfer) }
        transfer.limitLingering(to: Self.lingeringLimit) { [unowned self] in remove(transfer) }
    }

    /// Takes a transfer out of libcurl, and closes its connection unless the response was complete.
    private func remove(_ transfer: HTTPTransfer) {
        guard transfers.removeValue(forKey: transfer.easy) != nil else { return }
        if !transfer.isDone { EasyOptions(easy: transfer.easy).forbidReuse() }
        _ = insideLibrary { curl_multi_remove_handle(multi, transfer.easy) }
        transfer.close()
        if isClosed, transfers.isEmpty, !isCleanedUp { cleanUp() }
    }

    private func cleanUp() {
        isCleanedUp = true
        timer?.close()
        timer = nil
        // The callbacks may still take polls away, but must not ask for a new timer of an object that goes.
        lemma_curl_multi_set_callbacks(multi, nil, nil, nil)
        for poll in polls.values { poll.close() }
        polls = [:]
        curl_multi_cleanup(multi)
    }

    // MARK: What libcurl asks for

    private func watch(_ socket: curl_socket_t, _ what: Int32) -> Bool {
        if what == CURL_POLL_REMOVE {
            polls.removeValue(forKey: socket)?.close()
            return true
        }
        var readiness: SocketPoll.Readiness = []
        if what & CURL_POLL_IN != 0 { readiness.insert(.readable) }
        if what & CURL_POLL_OUT != 0 { readiness.insert(.writable) }
        do {
            try poll(of: socket).watch(for: readiness)
            return true
        } catch {
            return false
        }
    }

    private func poll(of socket: curl_socket_t) throws(NetworkError) -> SocketPoll {
        if let poll = polls[socket] { return poll }
        let poll = try SocketPoll(socket: socket, on: loop) { [unowned self] readiness in
            let read = readiness.contains(.readable) ? CURL_CSELECT_IN : 0
            let write = readiness.contains(.writable) ? CURL_CSELECT_OUT : 0
            act(on: socket, read | write)
        }
        polls[socket] = poll
        return poll
    }

    private func setTimer(_ milliseconds: Int) {
        timer?.close()
        timer = nil
        guard milliseconds >= 0, !isCleanedUp else { return }
        timer = loop.schedule(after: .milliseconds(milliseconds)) { [unowned self] in
            timer = nil
            act(on: Library.timeoutSocket, 0)
        }
    }

    private func act(on socket: curl_socket_t, _ events: Int32) {
        var running: Int32 = 0
        let status = insideLibrary { curl_multi_socket_action(multi, socket, events, &running) }
        if status != CURLM_OK {
            for transfer in transfers.values { transfer.end(.failed(code: UInt32(bitPattern: status.rawValue))) }
        }
        var result = CURLE_OK
        while let easy = lemma_curl_multi_next_done(multi, &result) {
            guard let transfer = transfers[easy] else { continue }
            transfer.didEnd(result)
            if transfer.isLingering { remove(transfer) }
        }
    }

    private func insideLibrary(_ call: () -> CURLMcode) -> CURLMcode {
        isInsideLibrary = true
        defer { isInsideLibrary = false }
        return call()
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> HTTPTransport {
        guard let context else { preconditionFailure("libcurl lost the owner of its multi handle") }
        return Unmanaged<HTTPTransport>.fromOpaque(context).takeUnretainedValue()
    }
}

/// The library as a whole, made ready once in a process.
private enum Library {
    static let isReady = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK
    /// Stands for no socket: time has passed.
    static let timeoutSocket: curl_socket_t = -1
}
