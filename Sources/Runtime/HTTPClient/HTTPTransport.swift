internal import CCurl
package import EventLoop
internal import FoundationEssentials
internal import Text

/// What all requests of a transport share.
package struct HTTPTransportOptions: Sendable {
    /// The trusted certificate authorities, a PEM file; nil for the system's.
    ///
    /// The default is `SSL_CERT_FILE`, as for other users of OpenSSL.
    package var certificateAuthorityFile = ProcessInfo.processInfo.environment["SSL_CERT_FILE"]
    /// The most idle connections kept open for reuse.
    package var idleConnectionsMax = 64
    /// `User-Agent` of requests without their own.
    package var userAgent = "lemma"

    /// The defaults.
    package init() {}
}

/// Sends HTTP requests from one loop with libcurl's multi interface, driven by the loop's polls and timers.
///
/// ```
///  perform ─► curl_multi_add_handle        socket ready ──┐
///                     │                    timer due ─────┴─► curl_multi_socket_action ─► callbacks of the transfer
///                     └─► requests polls and a timer ◄────────────────┘        done ─► perform returns
/// ```
/// HTTP/1.1, and HTTP/2 where a TLS server offers it. A connection serves one request at a time, so that the end of a
/// request can close its socket; redirects are not followed. A POST is written at most once: when its connection closes
/// before a response, it fails as closed and the caller decides. A GET is sent again on a new connection. Loop-owned;
/// close it before its loop stops.
///
/// Safety: `@safe` because the object owns the multi handle until ``cleanUp()``, and each transfer owns the handle that is
/// its key.
@safe package final class HTTPTransport {
    package let loop: Loop
    let options: HTTPTransportOptions
    private let multi: UnsafeMutableRawPointer
    private var transfers: [UnsafeMutableRawPointer: HTTPTransfer] = unsafe [:]
    private var activeTransfers: [HTTPTransfer] { unsafe Array(transfers.values) }
    private var polls: [curl_socket_t: SocketPoll] = [:]
    private var timer: LoopTimer?
    private var isInsideLibrary = false
    private var isClosed = false
    private var isCleanedUp = false
    /// How long the rest of a response may take after ``HTTPReadDecision/enough``.
    private static let lingeringLimit = Duration.seconds(1)

    /// Creates a transport without connections.
    ///
    /// *Loop thread.*
    package init(on loop: Loop, options: HTTPTransportOptions = HTTPTransportOptions()) {
        loop.assertCurrent()
        precondition(Library.isReady, "libcurl could not be initialised")
        guard let multi = unsafe curl_multi_init() else { preconditionFailure("out of memory for libcurl") }
        self.loop = loop
        self.options = options
        unsafe self.multi = unsafe multi
        // Safety: the callbacks run only during calls on `multi`, which only `self` makes and which end with `cleanUp()`.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        let status = unsafe lemma_curl_multi_set_callbacks(
            multi,
            { _, socket, what, context, _ in unsafe HTTPTransport.of(context).watch(socket, what) ? 0 : -1 },
            { _, milliseconds, context in
                unsafe HTTPTransport.of(context).setTimer(milliseconds)
                return 0
            },
            unsafe context,
        )
        precondition(status == CURLM_OK, "libcurl rejected the callbacks of its multi interface")
        unsafe lemma_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, options.idleConnectionsMax)
        unsafe lemma_curl_multi_set_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
    }

    deinit { if !isCleanedUp { cleanUp() } }

    /// Sends a request and delivers the response as it arrives; returns when it is complete or was stopped.
    ///
    /// `onResponse` is called once, then `onBody` for each piece; neither is called after `perform` has returned.
    /// `waitForRoom` is awaited after each ``HTTPReadDecision/pause``; when it returns false, the request ends as cancelled.
    /// Cancelling the task ends the request at once and closes its connection.
    package func perform(
        _ request: HTTPClientRequest,
        onResponse: @escaping (HTTPClientResponse) -> HTTPReadDecision,
        onBody: @escaping (Span<UInt8>) -> HTTPReadDecision,
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
        unsafe transfers[transfer.easy] = transfer
        // The caller may run inside a callback of another transfer; libcurl must not be entered twice.
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
            body.append(copying: bytes)
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
        for transfer in activeTransfers {
            if transfer.isLingering { remove(transfer) } else { transfer.end(.cancelled) }
        }
        if unsafe transfers.isEmpty, !isCleanedUp { cleanUp() }
    }

    // MARK: Transfers

    private func begin(_ transfer: HTTPTransfer) {
        guard unsafe transfers[transfer.easy] != nil, !isClosed else { return }
        transfer.begin()
        let status = insideLibrary { unsafe curl_multi_add_handle(multi, transfer.easy) }
        if status != CURLM_OK { transfer.end(.failed(code: UInt32(bitPattern: status.rawValue))) }
    }

    private func resume(_ transfer: HTTPTransfer) {
        isInsideLibrary = true
        transfer.resume()
        isInsideLibrary = false
    }

    /// Runs in the request's task, never inside a callback of libcurl.
    private func finish(_ transfer: HTTPTransfer) {
        guard transfer.isLingering, !transfer.isDone, !isClosed else { return remove(transfer) }
        transfer.limitLingering(to: Self.lingeringLimit) { [unowned self] in remove(transfer) }
    }

    /// Removes a transfer from libcurl; closes its connection unless the response was complete.
    private func remove(_ transfer: HTTPTransfer) {
        guard unsafe transfers.removeValue(forKey: transfer.easy) != nil else { return }
        if !transfer.isDone { unsafe EasyOptions(easy: transfer.easy).forbidReuse() }
        _ = insideLibrary { unsafe curl_multi_remove_handle(multi, transfer.easy) }
        transfer.close()
        if isClosed, unsafe transfers.isEmpty, !isCleanedUp { cleanUp() }
    }

    private func cleanUp() {
        isCleanedUp = true
        timer?.close()
        timer = nil
        // Cleaning up may run callbacks, which must not set a timer on an object that is being freed.
        unsafe lemma_curl_multi_set_callbacks(multi, nil, nil, nil)
        for poll in polls.values { poll.close() }
        polls = [:]
        unsafe curl_multi_cleanup(multi)
    }

    // MARK: Callbacks of libcurl

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
        let status = insideLibrary { unsafe curl_multi_socket_action(multi, socket, events, &running) }
        if status != CURLM_OK {
            for transfer in activeTransfers {
                transfer.end(.failed(code: UInt32(bitPattern: status.rawValue)))
            }
        }
        var result = CURLE_OK
        while let easy = unsafe lemma_curl_multi_next_done(multi, &result) {
            guard let transfer = unsafe transfers[easy] else { continue }
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
        guard let context = unsafe context else { preconditionFailure("a libcurl multi handle has no owner") }
        return unsafe Unmanaged<HTTPTransport>.fromOpaque(context).takeUnretainedValue()
    }
}

/// libcurl's global state, initialised once per process.
private enum Library {
    static let isReady = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK
    /// `CURL_SOCKET_TIMEOUT`: reports a timeout instead of a ready socket.
    static let timeoutSocket: curl_socket_t = -1
}
