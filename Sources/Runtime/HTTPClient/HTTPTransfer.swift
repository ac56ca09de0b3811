internal import CCurl
internal import EventLoop

/// A running request and its libcurl handle.
///
/// Loop-owned.
///
/// Safety: `@safe` because the object owns the handle and the list of fields until `deinit`.
@safe final class HTTPTransfer {
    /// What the request's task waits for.
    enum Step {
        /// The caller has no room for more.
        case paused
        /// The end; nil for success.
        case ended(HTTPClientError?)
    }

    let easy: UnsafeMutableRawPointer
    /// True once libcurl has finished the transfer.
    private(set) var isDone = false
    /// True where the request has ended and libcurl reads the rest of the response.
    private(set) var isLingering = false

    private let loop: Loop
    private let request: HTTPClientRequest
    private let onResponse: (HTTPClientResponse) -> HTTPReadDecision
    private let onBody: (Span<UInt8>) -> HTTPReadDecision
    private var fields: UnsafeMutablePointer<curl_slist>?
    private var head: ResponseHeadReader
    private var bodyBytes = 0
    private var lastProgress: Int64 = 0
    /// Bytes written to a proxy before the request itself; nil until then.
    private var sizeBeforeRequest: Int?
    private var totalTimer: LoopTimer?
    private var responseTimer: LoopTimer?
    private var idleTimer: LoopTimer?
    /// Limits the rest of a response after ``HTTPReadDecision/conclude(within:)`` and ``HTTPReadDecision/enough``.
    private var closingTimer: LoopTimer?
    private var step: OneShot<Step>
    private var hasEnded = false
    private var pause = Pause.none

    /// ```
    ///  none ──no room──► requested ──next piece──► effective
    ///   ▲                   │                         │
    ///   └──────room─────────┴─────────────────────────┘
    /// ```
    private enum Pause {
        case none
        case requested
        /// libcurl holds a piece and does not read.
        case effective
    }

    init(
        _ request: HTTPClientRequest,
        options: HTTPTransportOptions,
        loop: Loop,
        onResponse: @escaping (HTTPClientResponse) -> HTTPReadDecision,
        onBody: @escaping (Span<UInt8>) -> HTTPReadDecision
    ) throws(HTTPClientError) {
        guard request.isSendable else { throw .invalidRequest }
        guard let easy = unsafe curl_easy_init() else { throw .failed(code: CURLE_OUT_OF_MEMORY.rawValue) }
        unsafe self.easy = unsafe easy
        self.loop = loop
        self.request = request
        self.onResponse = onResponse
        self.onBody = onBody
        step = OneShot(loop: loop)
        head = ResponseHeadReader(limits: request.limits)
        unsafe fields = unsafe EasyOptions(easy: easy).set(request, options)
        setCallbacks()
    }

    deinit {
        unsafe curl_easy_cleanup(easy)
        unsafe curl_slist_free_all(fields)
    }

    /// Safety: the transport retains this object while its handle is in the multi handle, and callbacks run only then.
    ///
    /// libcurl's data is valid during the callback.
    private func setCallbacks() {
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe lemma_curl_set_pointer(easy, CURLOPT_HEADERDATA, context)
        unsafe lemma_curl_set_data_callback(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            unsafe HTTPTransfer.of(context).takeHeader(
                Span(_unsafeBytes: UnsafeRawBufferPointer(start: bytes, count: size * count))
            )
        }
        unsafe lemma_curl_set_pointer(easy, CURLOPT_WRITEDATA, context)
        unsafe lemma_curl_set_data_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            unsafe HTTPTransfer.of(context).takeBody(
                Span(_unsafeBytes: UnsafeRawBufferPointer(start: bytes, count: size * count))
            )
        }
        unsafe lemma_curl_set_pointer(easy, CURLOPT_PREREQDATA, context)
        unsafe lemma_curl_set_prereq_callback(easy) { context, _, _, _, _ in
            unsafe HTTPTransfer.of(context).didConnect() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
        }
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> HTTPTransfer {
        guard let context = unsafe context else { preconditionFailure("a libcurl handle has no owner") }
        return unsafe Unmanaged<HTTPTransfer>.fromOpaque(context).takeUnretainedValue()
    }

    // MARK: Called by the transport

    /// Starts the timeout of the whole request.
    func begin() {
        guard let total = request.timeouts.total else { return }
        totalTimer = loop.schedule(after: total) { [unowned self] in end(.timedOut(.total)) }
    }

    /// Waits for the next step; throws when the task is cancelled.
    func nextStep() async throws(CancellationError) -> Step { try await step.value() }

    /// Ends the request.
    ///
    /// The first end counts; it replaces a pause that the task has not observed yet.
    func end(_ failure: HTTPClientError?) {
        guard !hasEnded else { return }
        hasEnded = true
        if step.isSettled { step = OneShot(loop: loop) }
        step.succeed(.ended(failure))
    }

    /// Continues to read after a pause; may run callbacks during the call.
    func resume() {
        guard !hasEnded else { return }
        lastProgress = loop.nowMilliseconds
        step = OneShot(loop: loop)
        let wasEffective = pause == .effective
        pause = .none
        guard wasEffective else { return }
        let code = unsafe curl_easy_pause(easy, CURLPAUSE_CONT)
        if code != CURLE_OK { end(code) }
    }

    /// Called when libcurl has finished the transfer.
    func didEnd(_ code: CURLcode) {
        isDone = true
        end(code)
    }

    private func end(_ code: CURLcode) {
        if code == CURLE_OK {
            // libcurl reports an end within the head as an empty response.
            end(head.isComplete ? nil : .closed)
        } else {
            end(HTTPClientError(result: code, headIsComplete: head.isComplete))
        }
    }

    /// Stops the timers; `deinit` frees the handle.
    func close() {
        totalTimer?.close()
        responseTimer?.close()
        idleTimer?.close()
        closingTimer?.close()
    }

    /// Runs `action` when the rest of the response takes longer than `limit`.
    func limitLingering(to limit: Duration, _ action: @escaping () -> Void) {
        close()
        closingTimer = loop.schedule(after: limit, action)
    }

    // MARK: Called by libcurl

    /// Called each time before the request is written; false where a request that is not repeatable was written before.
    ///
    /// libcurl repeats a request by itself when a reused connection closes before the first byte of a response, when an
    /// HTTP/2 server rejects the stream, and for authentication. Each repetition may be billed.
    private func didConnect() -> Bool {
        let size = unsafe lemma_curl_request_size(easy)
        guard request.isRepeatable || sizeBeforeRequest ?? size == size else {
            end(.closed)
            return false
        }
        sizeBeforeRequest = size
        lastProgress = loop.nowMilliseconds
        if let limit = request.timeouts.response, responseTimer == nil {
            responseTimer = loop.schedule(after: limit) { [unowned self] in end(.timedOut(.response)) }
        }
        if let limit = request.timeouts.idle, idleTimer == nil { watchIdle(limit, after: limit) }
        return true
    }

    /// Recomputes the deadline when the timer fires instead of at each piece.
    private func watchIdle(_ limit: Duration, after delay: Duration) {
        idleTimer = loop.schedule(after: delay) { [unowned self] in
            if pause != .none { lastProgress = loop.nowMilliseconds }
            let rest = limit - .milliseconds(loop.nowMilliseconds - lastProgress)
            if rest > .zero { watchIdle(limit, after: rest) } else { end(.timedOut(.idle)) }
        }
    }

    /// Returns the line's length; any other value makes libcurl end the transfer and close the connection.
    private func takeHeader(_ line: Span<UInt8>) -> Int {
        guard !hasEnded else { return isLingering ? line.count : 0 }
        lastProgress = loop.nowMilliseconds
        switch head.take(line) {
        case .more: return line.count
        case .tooLarge:
            end(.tooLarge(.head))
            return 0
        case .complete(var response):
            responseTimer?.close()
            let seconds = unsafe lemma_curl_retry_after(easy)
            if seconds > 0 { response.retryAfter = .seconds(seconds) }
            return proceed(onResponse(response), line.count)
        }
    }

    private func takeBody(_ bytes: Span<UInt8>) -> Int {
        guard !hasEnded else { return isLingering ? bytes.count : 0 }
        guard pause == .none else {
            pause = .effective
            return Int(CURL_WRITEFUNC_PAUSE)
        }
        lastProgress = loop.nowMilliseconds
        bodyBytes += bytes.count
        if let limit = request.limits.bodyBytesMax, bodyBytes > limit {
            end(.tooLarge(.body))
            return 0
        }
        return proceed(onBody(bytes), bytes.count)
    }

    /// Removes the limit of an earlier ``HTTPReadDecision/conclude(within:)``.
    private func stopConcluding() {
        closingTimer?.close()
        closingTimer = nil
    }

    private func proceed(_ decision: HTTPReadDecision, _ count: Int) -> Int {
        switch decision {
        case .proceed:
            stopConcluding()
            return count
        case .pause:
            stopConcluding()
            pause = .requested
            step.succeed(.paused)
            return count
        case .conclude(let limit):
            closingTimer = closingTimer ?? loop.schedule(after: limit) { [unowned self] in end(nil) }
            return count
        case .enough:
            isLingering = true
            end(nil)
            return count
        case .stop:
            end(nil)
            // For an empty piece 0 would mean success.
            return count == 0 ? -1 : 0
        }
    }
}
