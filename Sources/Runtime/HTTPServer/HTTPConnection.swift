internal import EventLoop

/// One client's connection: does what its ``HTTPConnectionState`` decides, on the stream, the parser and the handler.
///
/// Loop-owned; the stream retains it until it has closed. Bytes that arrive while a request is answered wait in `backlog`.
/// An idle or streaming connection holds no buffer and no parser.
final class HTTPConnection: ByteStreamDelegate {
    let stream: ByteStream
    let service: HTTPService
    /// Position in the service's list.
    var slot: Int
    /// The service gives it back when the connection has closed.
    let place: AddressConnections.Place

    private(set) var state = HTTPConnectionState() {
        didSet { if state.timeLimit != oldValue.timeLimit { startTimeLimit() } }
    }
    /// Loop time in milliseconds at which the state's time limit is over; nil without a limit.
    private var deadline: Int64?
    private var stall = StallWatch()
    private var observer = ConnectionObserver.none
    private var parser: RequestParser?
    private var backlog = Backlog()
    /// True while bytes are taken up, so that a response in between does not take up the bytes behind them once more.
    private var isTakingUp = false
    private var peerAddress: String?
    /// nil where the server has no metrics, and between requests.
    private var report: RequestReport?

    init(stream: ByteStream, service: HTTPService, slot: Int, place: AddressConnections.Place) {
        self.stream = stream
        self.service = service
        self.slot = slot
        self.place = place
        startTimeLimit()
    }

    private func startTimeLimit() {
        deadline = state.timeLimit.map { service.deadline(after: service.options.timeout(of: $0)) }
    }

    private func perform(_ action: HTTPConnectionState.Action) {
        switch action {
        case .none: break
        case .readBacklog: readBacklog()
        case .pauseReading: stream.stopReading()
        case .resumeReading: stream.startReading()
        case .refuse(let refusal): refuse(refusal)
        case .notifyWriter: if case .writer(let response) = observer { response.didDrain() }
        case .notifyOwner(let notice): if case .owner(let owner) = observer { notify(owner, of: notice) }
        case .finish: finish()
        case .close: stream.close()
        case .closeStalled(let limit):
            service.metrics?.connectionEnded(by: limit)
            stream.close()
        }
    }

    private func notify(_ owner: any UpgradedConnectionDelegate, of notice: HTTPConnectionState.OwnerNotice) {
        switch notice {
        case .peerEnded: owner.streamDidReachEnd()
        case .outputDrained: owner.streamDidDrain()
        case .drainBegan: owner.serverDidBeginDraining()
        }
    }

    private func finish() {
        releaseParser()
        backlog = Backlog()
        stream.finish(linger: service.options.closeLinger)
    }

    private func releaseParser() {
        if let parser { service.recycle(parser) }
        parser = nil
    }

    // MARK: Bytes in

    func streamDidRead(_ bytes: Span<UInt8>) {
        let count = backlog.isEmpty ? takeUp(bytes) : 0
        guard count < bytes.count else { return }
        backlog.append(bytes.extracting(droppingFirst: count))
        if backlog.count >= service.options.pipelinedBytesMax { perform(state.on(.backlogFilled)) }
    }

    /// Parses requests and has them answered until a response is due before the next one; returns how many bytes are done.
    private func takeUp(_ bytes: Span<UInt8>) -> Int {
        isTakingUp = true
        defer { isTakingUp = false }
        var count = 0
        while count < bytes.count {
            switch state.bytesArrived(isOutputFull: isOutputFull) {
            case .parse: count += parse(bytes.extracting(droppingFirst: count))
            case .store: return count
            case .storeUntilRoom:
                // This turn's output is not flushed yet: only then it shows whether the client has to take something first.
                stream.loop.schedule(after: .zero) { [weak self] in self?.unblockIfRoom() }
                return count
            case .forward:
                if case .owner(let owner) = observer {
                    owner.streamDidRead(bytes.extracting(droppingFirst: count))
                }
                return bytes.count
            case .drop: return bytes.count
            }
        }
        return count
    }

    private var isOutputFull: Bool { stream.pendingBytes >= service.options.outputBytesMax }

    private func unblockIfRoom() {
        if !isOutputFull { perform(state.on(.outputHasRoom)) }
    }

    private func readBacklog() {
        guard !isTakingUp else { return }
        if !backlog.isEmpty {
            // A copy of the reference: a response may close the connection, which drops the backlog.
            let waiting = backlog
            let count = waiting.withSpan { takeUp($0) }
            if !backlog.isEmpty { backlog.removeFirst(count) }
        }
        if backlog.isEmpty { perform(state.on(.backlogEmptied)) }
    }

    private func parse(_ bytes: Span<UInt8>) -> Int {
        let parser = parser ?? service.takeParser()
        self.parser = parser
        let (count, event) = parser.consume(bytes)
        switch event {
        case .needsMore: break
        case .head: admitBody(parser, bodyHasBegun: count < bytes.count)
        case .message: dispatch(parser)
        case .refused(let refusal): perform(state.on(.refused(refusal)))
        }
        return count
    }

    private func admitBody(_ parser: RequestParser, bodyHasBegun: Bool) {
        state.headCompleted()
        let head = parser.request(from: address())
        do throws(RequestRefusal) {
            try parser.limitBody(to: service.handler.bodyBytesMax(of: head) ?? service.options.bodyBytesMax)
        } catch {
            return perform(state.on(.refused(error)))
        }
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
        service.handler.handle(request, HTTPExchange(connection: self, path: request.path))
    }

    private func begin(_ request: HTTPRequest, keepsAlive: Bool) {
        releaseParser()
        report = service.metrics.map { _ in RequestReport(method: request.method, began: .now) }
        let isHTTP11 = request.version == .http11
        state.requestCompleted(.init(isHead: request.method == .head, isHTTP11: isHTTP11, keepsAlive: keepsAlive))
    }

    private func address() -> String {
        if let peerAddress { return peerAddress }
        let address = stream.peerAddress
        peerAddress = address
        return address
    }

    /// Answers bytes that are no acceptable request, and closes.
    private func refuse(_ refusal: RequestRefusal) {
        service.metrics?.badRequest(refusal)
        let response = service.errorResponse(refusal.status, refusal.detail, RefusedRequest(head: parser?.head ?? []))
        service.write(response, to: stream, isHead: parser?.isHeadMethod ?? false, keepsAlive: false)
        finish()
    }

    // MARK: The handler's side

    /// True while a request waits for its response.
    var isResponding: Bool { state.isResponding }

    func note(_ note: RequestNote) { report?.note = note }

    /// Runs `action` if the connection closes before the response.
    func onClose(_ action: @escaping () -> Void) { observer = .handler(action) }

    func respond(_ response: HTTPResponse) {
        guard let exchange = state.respond() else { return }
        report?.status = response.status
        service.write(response, to: stream, isHead: exchange.isHead, keepsAlive: exchange.keepsAlive)
        endRequest(keepsAlive: exchange.keepsAlive)
    }

    private func endRequest(keepsAlive: Bool) {
        reportEnd()
        observer = .none
        if keepsAlive { readBacklog() } else { finish() }
    }

    private func reportEnd() {
        guard let ended = report else { return }
        report = nil
        service.metrics?.requestEnded(
            method: ended.method,
            note: ended.note,
            status: ended.status,
            duration: .now - ended.began,
        )
    }

    func startStream(
        status: Int,
        headers: HTTPFields,
        delegate: (any HTTPResponseStreamDelegate)?
    ) -> HTTPResponseStream {
        guard let exchange = state.startStream() else { return .closed }
        report?.status = status
        let framing: BodyFraming = exchange.isHTTP11 ? .chunked : .untilClose
        service.writeHead(status, headers, framing, keepsAlive: exchange.keepsAlive, to: stream)
        if exchange.isHead {
            endRequest(keepsAlive: exchange.keepsAlive)
            return .closed
        }
        let response = HTTPResponseStream(connection: self, isChunked: exchange.isHTTP11, delegate: delegate)
        observer = .writer(response)
        if state.input == .ended {
            stream.loop.executeSoon { [weak self] in
                if let self { perform(state.on(.peerEndedBeforeStream)) }
            }
        }
        return response
    }

    func didEndStream() {
        reportEnd()
        observer = .none
        perform(state.on(.streamEnded))
    }

    func upgrade(
        _ upgrade: HTTPUpgrade,
        _ headers: HTTPFields,
        _ makeOwner: (ByteStream) -> any UpgradedConnectionDelegate
    ) {
        guard state.upgrade() else { return }
        var fields: HTTPFields = ["Connection": "Upgrade", "Upgrade": upgrade.protocolName]
        fields.append(contentsOf: headers)
        service.writeHead(101, fields, .none, keepsAlive: true, to: stream)
        report?.status = 101
        reportEnd()
        observer = .none
        let owner = makeOwner(stream)
        guard !stream.isClosed else { return owner.streamDidClose(nil) }
        observer = .owner(owner)
        readBacklog()
        if state.isDraining, !stream.isClosed { owner.serverDidBeginDraining() }
    }

    // MARK: Ends and deadlines

    func streamDidReachEnd() { perform(state.on(.peerEnded)) }

    func streamDidDrain() {
        perform(state.on(.outputDrained))
        unblockIfRoom()
    }

    func streamDidClose(_ failure: StreamFailure?) {
        let loss = state.close(isFailure: failure != nil)
        let observer = observer
        self.observer = .none
        releaseParser()
        backlog = Backlog()
        reportEnd()
        service.remove(self)
        switch observer {
        case .none: break
        case .handler(let action): action()
        case .writer(let response): response.didClose(loss)
        case .owner(let owner): owner.streamDidClose(failure)
        }
    }

    func drain() { perform(state.on(.drainBegan)) }

    /// Checks the deadline and the stall limit; called by the service's one timer.
    func sweep(now: Int64) {
        if let deadline, now >= deadline {
            perform(state.on(.deadlinePassed(isOutputEmpty: stream.pendingBytes == 0)))
        }
        guard !stream.isClosed else { return }
        let stalled = stall.stalledMilliseconds(
            at: now,
            pendingBytes: stream.pendingBytes,
            acknowledgedBytes: stream.acknowledgedBytes,
        )
        guard stalled > 0 else { return }
        let limit = state.isLongLived ? service.options.streamStallTimeout : service.options.writeStallTimeout
        if .milliseconds(stalled) >= limit { perform(state.on(.stalled)) }
    }
}

/// What is notified of a connection's events beside the state.
private enum ConnectionObserver {
    case none
    /// Runs if the connection closes before the response.
    case handler(() -> Void)
    case writer(HTTPResponseStream)
    case owner(any UpgradedConnectionDelegate)
}
