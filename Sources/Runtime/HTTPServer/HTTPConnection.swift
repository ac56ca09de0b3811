internal import EventLoop

/// One client's connection.
///
/// Loop-owned; the stream holds it until it has closed.
///
/// ```
///        byte        head complete     complete           startStream
///  idle ──────► head ──────────► body ──────────► responding ──────► streaming
///   ▲             └──────── no body ─────────────►  │                    │ end
///   └────────────────── respond, kept alive ◄───────┴────────────────────┘
///  any ── refusal, answer with "close", drained ──► closing ──► closed
/// ```
/// What arrives while a request is being answered waits in `backlog`. An idle or streaming connection holds no buffer
/// and no parser.
final class HTTPConnection: ByteStreamDelegate {
    private enum Phase {
        case idle
        case head
        case body
        case responding
        case streaming(HTTPResponseStream)
        case closing
        case closed
    }

    let stream: ByteStream
    let service: HTTPService
    /// Position in the service's list.
    var slot: Int
    /// Runs when the connection goes away before the answer.
    var closeAction: (() -> Void)?

    private var phase = Phase.idle
    private var parser: RequestParser?
    private var peerAddress: String?
    /// Loop time in milliseconds at which the phase has lasted too long; nil for no limit.
    private var deadline: Int64?
    private var stalledSince: Int64?
    private var acknowledgedBytes: UInt64 = 0

    private var backlog = Backlog()
    private var isProcessing = false
    private var isReadingStopped = false
    private var isWaitingForDrain = false
    private var peerHasEnded = false
    /// Why the connection goes away, should it be in the middle of a stream.
    private var loss = StreamLoss.serverClosed

    /// False until the first request has begun.
    private var hasBeenUsed = false

    // The request being answered.
    private var method = HTTPMethod.get
    private var version = HTTPVersion.http11
    private var keepsAlive = true
    private var status: Int?
    /// What the handler says that it is.
    var note: RequestNote?
    private var began: ContinuousClock.Instant?

    init(stream: ByteStream, service: HTTPService, slot: Int) {
        self.stream = stream
        self.service = service
        self.slot = slot
        deadline = service.deadline(after: service.options.headTimeout)
    }

    /// True while a request waits for its answer.
    var isResponding: Bool {
        if case .responding = phase { true } else { false }
    }

    private var isReceiving: Bool {
        switch phase {
        case .idle, .head, .body: true
        case .responding, .streaming, .closing, .closed: false
        }
    }

    // MARK: Bytes in

    func streamDidRead(_ bytes: Span<UInt8>) {
        // Safety: the buffer does not leave the closure.
        unsafe bytes.withUnsafeBytes { unsafe receive($0) }
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) {
        var count = 0
        if backlog.isEmpty { count = process(bytes) }
        switch phase {
        case .closing, .closed: return
        case .idle, .head, .body, .responding, .streaming: break
        }
        guard count < bytes.count else { return }
        backlog.append(UnsafeRawBufferPointer(rebasing: bytes[count...]))
        if backlog.count >= service.options.pipelinedBytesMax, !isReadingStopped {
            isReadingStopped = true
            stream.stopReading()
        }
    }

    /// Takes requests off `bytes` and has them answered until one has to wait; returns how many bytes were used.
    private func process(_ bytes: UnsafeRawBufferPointer) -> Int {
        var used = 0
        isProcessing = true
        defer { isProcessing = false }
        while used < bytes.count, isReceiving, !isWaitingForDrain {
            if case .idle = phase, !beginRequest() { break }
            let parser = parser ?? service.takeParser()
            self.parser = parser
            let (count, event) = parser.consume(UnsafeRawBufferPointer(rebasing: bytes[used...]))
            used += count
            switch event {
            case .needsMore: break
            case .head: acceptHead(parser, bodyHasBegun: used < bytes.count)
            case .message: dispatch(parser)
            case .refused(let refusal): refuse(refusal)
            }
        }
        return used
    }

    /// False when the client must first take the answers that wait for it.
    private func beginRequest() -> Bool {
        if stream.pendingBytes >= service.options.outputBytesMax {
            isWaitingForDrain = true
            // This turn's output has not been flushed yet: only afterwards it shows whether there is anything to wait for.
            stream.loop.schedule(after: .zero) { [weak self] in self?.resumeIfDrained() }
            return false
        }
        phase = .head
        hasBeenUsed = true
        deadline = service.deadline(after: service.options.headTimeout)
        return true
    }

    private func acceptHead(_ parser: RequestParser, bodyHasBegun: Bool) {
        phase = .body
        deadline = service.deadline(after: service.options.bodyTimeout)
        let head = parser.request(from: address())
        if let response = service.handler.refusal(beforeBodyOf: head) {
            begin(head, keepsAlive: false)
            return respond(response)
        }
        if parser.expectsContinue, !bodyHasBegun {
            stream.write { $0.append("HTTP/1.1 100 Continue\r\n\r\n") }
        }
    }

    private func dispatch(_ parser: RequestParser) {
        let request = parser.request(from: address())
        begin(request, keepsAlive: parser.keepsAlive)
        service.handler.handle(request, HTTPExchange(connection: self))
    }

    private func begin(_ request: HTTPRequest, keepsAlive: Bool) {
        releaseParser()
        method = request.method
        version = request.version
        self.keepsAlive = keepsAlive
        began = service.metrics == nil ? nil : .now
        deadline = nil
        phase = .responding
    }

    private func releaseParser() {
        if let parser { service.recycle(parser) }
        parser = nil
    }

    private func address() -> String {
        if let peerAddress { return peerAddress }
        let address = stream.peerAddress
        peerAddress = address
        return address
    }

    /// Goes on with what arrived meanwhile.
    private func processBacklog() {
        guard !isProcessing, isReceiving, !isWaitingForDrain else { return }
        if !backlog.isEmpty {
            // A copy of the reference: an answer may close the connection, which drops the backlog.
            let waiting = backlog
            let count = waiting.withUnsafeBytes { process($0) }
            if !backlog.isEmpty { backlog.removeFirst(count) }
        }
        guard backlog.isEmpty, isReceiving else { return }
        if isReadingStopped {
            isReadingStopped = false
            stream.startReading()
        }
        if peerHasEnded { endOfInput() }
    }

    // MARK: Bytes out

    func respond(_ response: HTTPResponse) {
        guard isResponding else { return }
        let hasBody = response.status != 204 && response.status != 304
        let keepsAlive = keepsAlive && !service.isDraining
        self.keepsAlive = keepsAlive
        status = response.status
        stream.write { output in
            output.appendHead(
                status: response.status,
                headers: response.headers,
                framing: hasBody ? .length(response.body.count) : .none,
                keepsAlive: keepsAlive,
                date: service.date.now(),
            )
            if hasBody, method != .head { output.append(contentsOf: response.body) }
        }
        finishResponse()
    }

    func startStream(
        status: Int,
        headers: HTTPFields,
        delegate: (any HTTPResponseStreamDelegate)?
    ) -> HTTPResponseStream {
        guard isResponding else { return HTTPResponseStream(connection: nil, isChunked: false, delegate: nil) }
        self.status = status
        let isChunked = version == .http11
        keepsAlive = keepsAlive && !service.isDraining && isChunked
        stream.write { output in
            output.appendHead(
                status: status,
                headers: headers,
                framing: isChunked ? .chunked : .untilClose,
                keepsAlive: keepsAlive,
                date: service.date.now(),
            )
        }
        if method == .head {
            finishResponse()
            return HTTPResponseStream(connection: nil, isChunked: isChunked, delegate: nil)
        }
        closeAction = nil
        let response = HTTPResponseStream(connection: self, isChunked: isChunked, delegate: delegate)
        phase = .streaming(response)
        if peerHasEnded { stream.loop.executeSoon { [weak self] in self?.closeIfLeft() } }
        return response
    }

    func didEndStream() { finishResponse() }

    private func finishResponse() {
        reportEnd()
        closeAction = nil
        guard keepsAlive, !service.isDraining else { return closeAfterWriting() }
        phase = .idle
        deadline = service.deadline(after: service.options.keepAliveTimeout)
        processBacklog()
    }

    private func reportEnd() {
        guard let began else { return }
        service.metrics?.requestEnded(method: method, note: note, status: status, duration: .now - began)
        self.began = nil
        note = nil
        status = nil
    }

    /// Answers what is no request, and closes.
    private func refuse(_ refusal: RequestRefusal) {
        service.metrics?.badRequest(refusal)
        let isHead = parser?.isHeadMethod ?? false
        let response = service.errorResponse(refusal.status, refusal.detail, parser?.refusedRequest)
        stream.write { output in
            output.appendHead(
                status: response.status,
                headers: response.headers,
                framing: .length(response.body.count),
                keepsAlive: false,
                date: service.date.now(),
            )
            if !isHead { output.append(contentsOf: response.body) }
        }
        closeAfterWriting()
    }

    private func closeAfterWriting() {
        phase = .closing
        deadline = nil
        releaseParser()
        backlog = Backlog()
        stream.finish()
    }

    // MARK: Ends and deadlines

    func streamDidReachEnd() {
        guard !peerHasEnded else { return }
        peerHasEnded = true
        switch phase {
        case .idle, .head, .body: if backlog.isEmpty { endOfInput() }
        case .responding, .closing, .closed: break
        case .streaming: closeBecauseClientLeft()
        }
    }

    private func closeBecauseClientLeft() {
        loss = .clientLeft
        stream.close()
    }

    /// The peer sends no more and all it sent is answered, but for a request it broke off.
    private func endOfInput() {
        switch phase {
        case .idle: closeAfterWriting()
        case .head, .body: refuse(.truncated)
        case .responding, .streaming, .closing, .closed: break
        }
    }

    private func closeIfLeft() {
        if case .streaming = phase { closeBecauseClientLeft() }
    }

    func streamDidDrain() {
        if case .streaming(let response) = phase { response.didDrain() }
        resumeIfDrained()
    }

    private func resumeIfDrained() {
        guard isWaitingForDrain, stream.pendingBytes < service.options.outputBytesMax else { return }
        isWaitingForDrain = false
        processBacklog()
    }

    func streamDidClose(_ failure: StreamFailure?) {
        let last = phase
        phase = .closed
        releaseParser()
        backlog = Backlog()
        let action = closeAction
        closeAction = nil
        reportEnd()
        service.remove(self)
        if case .streaming(let response) = last { response.didClose(failure == nil ? loss : .failed) }
        action?()
    }

    /// Closes an idle connection; one that has never been used gets a moment, because its first request is probably on
    /// its way, and a client does not expect to be closed on before an answer.
    func closeIfIdle() {
        guard case .idle = phase, backlog.isEmpty else { return }
        if hasBeenUsed {
            closeAfterWriting()
        } else {
            deadline = service.deadline(after: service.options.firstRequestGrace)
        }
    }

    /// Checks the deadlines; called by the service's one timer.
    func sweep(now: Int64) {
        if let deadline, now >= deadline {
            switch phase {
            case .idle: if stream.pendingBytes == 0 { return stream.close() }
            case .head, .body: return refuse(.timedOut)
            case .responding, .streaming, .closing, .closed: break
            }
        }
        closeIfStalled(now: now)
    }

    private func closeIfStalled(now: Int64) {
        guard stream.pendingBytes > 0 else {
            stalledSince = nil
            return
        }
        let acknowledged = stream.acknowledgedBytes
        guard let since = stalledSince, acknowledged == acknowledgedBytes else {
            stalledSince = now
            acknowledgedBytes = acknowledged
            return
        }
        let isStreaming = if case .streaming = phase { true } else { false }
        let limit = isStreaming ? service.options.streamStallTimeout : service.options.writeStallTimeout
        guard .milliseconds(now - since) >= limit else { return }
        service.metrics?.connectionEnded(by: isStreaming ? .streamStall : .responseStall)
        loss = .stalled
        stream.close()
    }
}
