internal import CCurl
internal import EventLoop

/// One request on its way and the libcurl handle that carries it.
///
/// Loop-owned.
final class HTTPTransfer {
    /// What the request's task waits for.
    enum Step {
        /// Somebody has no room for more.
        case paused
        /// The end; nil for a good one.
        case ended(HTTPClientError?)
    }

    let easy: UnsafeMutableRawPointer
    /// True once libcurl has nothing more to do with it.
    private(set) var isDone = false
    /// True where the request has its answer and libcurl reads the rest.
    private(set) var isLingering = false

    private let loop: Loop
    private let request: HTTPClientRequest
    private let onResponse: (HTTPClientResponse) -> HTTPReadDecision
    private let onBody: (UnsafeRawBufferPointer) -> HTTPReadDecision
    private var fields: UnsafeMutablePointer<curl_slist>?
    private var head: ResponseHeadReader
    private var bodyBytes = 0
    private var lastProgress: Int64 = 0
    /// What was written before the request itself, to a proxy; nil until then.
    private var sizeBeforeRequest: Int?
    private var totalTimer: LoopTimer?
    private var responseTimer: LoopTimer?
    private var idleTimer: LoopTimer?
    /// Ends a request whose answer is complete but for its last formalities.
    private var closingTimer: LoopTimer?
    private var step: OneShot<Step>
    private var hasEnded = false
    private var pause = Pause.none

    /// ```
    ///  none ──no room──► wished ──next piece──► effective
    ///   ▲                  │                       │
    ///   └──────room────────┴───────────────────────┘
    /// ```
    private enum Pause {
        case none
        case wished
        /// libcurl holds a piece and does not read.
        case effective
    }

    init(
        _ request: HTTPClientRequest,
        options: HTTPTransportOptions,
        loop: Loop,
        onResponse: @escaping (HTTPClientResponse) -> HTTPReadDecision,
        onBody: @escaping (UnsafeRawBufferPointer) -> HTTPReadDecision
    ) throws(HTTPClientError) {
        guard request.isSendable else { throw .invalidRequest }
        guard let easy = curl_easy_init() else { throw .failed(code: CURLE_OUT_OF_MEMORY.rawValue) }
        self.easy = easy
        self.loop = loop
        self.request = request
        self.onResponse = onResponse
        self.onBody = onBody
        step = OneShot(loop: loop)
        head = ResponseHeadReader(limits: request.limits)
        fields = EasyOptions(easy: easy).set(request, options)
        setCallbacks()
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(fields)
    }

    /// Safety: the transport holds this object as long as its handle is in the multi handle, and only then are there
    /// callbacks.
    private func setCallbacks() {
        let context = Unmanaged.passUnretained(self).toOpaque()
        lemma_curl_set_pointer(easy, CURLOPT_HEADERDATA, context)
        lemma_curl_set_data_callback(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            HTTPTransfer.of(context).takeHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        lemma_curl_set_pointer(easy, CURLOPT_WRITEDATA, context)
        lemma_curl_set_data_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            HTTPTransfer.of(context).takeBody(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        lemma_curl_set_pointer(easy, CURLOPT_PREREQDATA, context)
        lemma_curl_set_prereq_callback(easy) { context, _, _, _, _ in
            HTTPTransfer.of(context).didConnect() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
        }
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> HTTPTransfer {
        guard let context else { preconditionFailure("libcurl lost the owner of a transfer") }
        return Unmanaged<HTTPTransfer>.fromOpaque(context).takeUnretainedValue()
    }

    // MARK: The transport's side

    /// Starts the clock of the whole request.
    func begin() {
        guard let total = request.timeouts.total else { return }
        totalTimer = loop.schedule(after: total) { [unowned self] in end(.timedOut(.total)) }
    }

    /// Waits for what comes next; throws when the task is cancelled.
    func nextStep() async throws(CancellationError) -> Step { try await step.value() }

    /// The first end counts, and is told even if a pause was before it.
    func end(_ failure: HTTPClientError?) {
        guard !hasEnded else { return }
        hasEnded = true
        if step.isSettled { step = OneShot(loop: loop) }
        step.succeed(.ended(failure))
    }

    /// Reads on after a pause.
    ///
    /// May call back at once.
    func resume() {
        guard !hasEnded else { return }
        lastProgress = loop.nowMilliseconds
        step = OneShot(loop: loop)
        let wasEffective = pause == .effective
        pause = .none
        guard wasEffective else { return }
        let code = curl_easy_pause(easy, CURLPAUSE_CONT)
        if code != CURLE_OK { end(code) }
    }

    /// libcurl is done with it.
    func didEnd(_ code: CURLcode) {
        isDone = true
        end(code)
    }

    private func end(_ code: CURLcode) {
        if code == CURLE_OK {
            // libcurl takes an end within the head for an empty response.
            end(head.isComplete ? nil : .closed)
        } else {
            end(HTTPClientError(result: code, headIsComplete: head.isComplete))
        }
    }

    /// Stops the clocks; the handle goes with the object.
    func close() {
        totalTimer?.close()
        responseTimer?.close()
        idleTimer?.close()
        closingTimer?.close()
    }

    /// Runs `action` when the rest of the response has taken too long.
    func limitLingering(to limit: Duration, _ action: @escaping () -> Void) {
        close()
        closingTimer = loop.schedule(after: limit, action)
    }

    // MARK: libcurl's side

    /// Called each time before the request is written; false where that has happened before and must not again.
    ///
    /// libcurl repeats a request by itself when a reused connection dies before the first byte of a response, when an
    /// HTTP/2 server refuses the stream, and for authentication, each of which is a call that somebody pays for.
    private func didConnect() -> Bool {
        let size = lemma_curl_request_size(easy)
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

    /// Moves the deadline when it is reached instead of at each piece.
    private func watchIdle(_ limit: Duration, after delay: Duration) {
        idleTimer = loop.schedule(after: delay) { [unowned self] in
            if pause != .none { lastProgress = loop.nowMilliseconds }
            let rest = limit - .milliseconds(loop.nowMilliseconds - lastProgress)
            if rest > .zero { watchIdle(limit, after: rest) } else { end(.timedOut(.idle)) }
        }
    }

    /// Anything but the count makes libcurl end the transfer and close the connection.
    private func takeHeader(_ line: UnsafeRawBufferPointer) -> Int {
        guard !hasEnded else { return isLingering ? line.count : 0 }
        lastProgress = loop.nowMilliseconds
        switch head.take(line) {
        case .more: return line.count
        case .tooLarge:
            end(.tooLarge(.head))
            return 0
        case .complete(var response):
            responseTimer?.close()
            let seconds = lemma_curl_retry_after(easy)
            if seconds > 0 { response.retryAfter = .seconds(seconds) }
            return proceed(onResponse(response), line.count)
        }
    }

    private func takeBody(_ bytes: UnsafeRawBufferPointer) -> Int {
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

    /// The response goes on after all.
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
            pause = .wished
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
            // Zero would mean success for an empty piece.
            return count == 0 ? -1 : 0
        }
    }
}
