/// The protocol state of one client's connection: takes events, returns what the connection does; without I/O.
///
/// ```
///  phase        event                              next phase    action
///  ─────────────────────────────────────────────────────────────────────────────────────────
///  opened       bytes                              head          parse
///               drain begins                       opened        – (the time limit gets shorter)
///               peer ended                         closing       finish
///               deadline, no output waits          –             close
///  idle         bytes, output below its bound      head          parse
///               bytes, output at its bound         blocked       store, wait for room
///               drain begins, peer ended           closing       finish
///               deadline, no output waits          –             close
///  blocked      bytes                              blocked       store
///               output has room                    idle          read the backlog
///  head         bytes                              head          parse
///               head complete, body follows        body          –
///               request complete                   responding    –
///               refused, deadline, peer ended      closing       refuse
///  body         bytes                              body          parse
///               request complete                   responding    –
///               refused, deadline, peer ended      closing       refuse
///  responding   bytes                              responding    store
///               response, kept alive               idle          write, read the backlog
///               response, not kept alive           closing       write, finish
///               stream starts                      streaming     write the head
///               upgrade                            upgraded      write 101, forward the backlog
///  streaming    bytes                              streaming     store
///               stream ends, kept alive            idle          read the backlog
///               stream ends, not kept alive        closing       finish
///               output drained                     streaming     notify the writer
///               peer ended                         streaming     close
///  upgraded     bytes, peer ended, output drained  upgraded      forward to the owner
///               drain begins                       upgraded      notify the owner
///  closing      bytes                              closing       drop
///  any          stalled                            –             close
///               closed                             closed        –
/// ```
/// An event that has no row in a phase changes nothing there. A response to HEAD is complete with its head, so it starts no
/// stream. While a drain is on, no response keeps its connection alive.
///
/// Beside the phase runs the input: `reading ⇄ paused` (the backlog is full, the backlog is empty again), and from both
/// `ended`, which is final. The end of the input counts as an event of the phases above once the backlog is empty.
struct HTTPConnectionState: Equatable {
    enum Phase: Equatable {
        /// No byte of a first request has arrived.
        case opened
        /// Between two requests, or before the next one in the backlog.
        case idle
        /// A request in the backlog waits until the client has taken the responses before it.
        case blocked
        case head
        case body
        /// The handler has the request.
        case responding(Exchange)
        /// A response is being written piece by piece; if the connection closes, the writer is given the reason.
        case streaming(Exchange, StreamLoss)
        /// Another protocol owns the connection.
        case upgraded
        /// The last bytes are on their way; input is dropped.
        case closing
        case closed
    }

    /// What a request determines about its response.
    struct Exchange: Equatable {
        /// The response has no body.
        var isHead: Bool
        /// The response may be chunked.
        var isHTTP11: Bool
        /// The connection serves another request after the response.
        var keepsAlive: Bool
    }

    enum Input: Equatable {
        case reading
        /// The backlog is full; the kernel stores what arrives.
        case paused
        /// The peer has sent its last byte.
        case ended
    }

    private(set) var phase = Phase.opened
    private(set) var input = Input.reading
    private(set) var isDraining = false

    /// What limits the time in this phase; nil for no limit.
    var timeLimit: TimeLimit? {
        switch phase {
        case .opened: isDraining ? .firstRequestInDrain : .firstRequest
        case .idle: .nextRequest
        case .head: .head
        case .body: .body
        case .blocked, .responding, .streaming, .upgraded, .closing, .closed: nil
        }
    }

    /// True while a request waits for its response.
    var isResponding: Bool {
        switch phase {
        case .responding: true
        case .opened, .idle, .blocked, .head, .body, .streaming, .upgraded, .closing, .closed: false
        }
    }

    /// True where the connection stays open for as long as its writer likes.
    var isLongLived: Bool {
        switch phase {
        case .streaming, .upgraded: true
        case .opened, .idle, .blocked, .head, .body, .responding, .closing, .closed: false
        }
    }
}

// MARK: - Bytes

extension HTTPConnectionState {
    /// What to do with bytes that have arrived, or that are next in the backlog.
    enum Intake: Equatable {
        case parse
        /// They wait in the backlog for the response before them.
        case store
        /// The same, and nothing else reports when the output has room.
        case storeUntilRoom
        /// They belong to the owner of an upgraded connection.
        case forward
        case drop
    }

    /// Bytes are there; `isOutputFull` is true where unsent responses have reached their bound.
    mutating func bytesArrived(isOutputFull: Bool) -> Intake {
        switch phase {
        case .opened, .idle:
            phase = isOutputFull ? .blocked : .head
            return isOutputFull ? .storeUntilRoom : .parse
        case .head, .body: return .parse
        case .blocked, .responding, .streaming: return .store
        case .upgraded: return .forward
        case .closing, .closed: return .drop
        }
    }

    /// The parser has read a head that a body follows.
    mutating func headCompleted() {
        if phase == .head { phase = .body }
    }

    /// The parser has read a whole request, or the handler rejects it before its body.
    mutating func requestCompleted(_ exchange: Exchange) {
        if phase == .head || phase == .body { phase = .responding(exchange) }
    }
}

// MARK: - Responses

extension HTTPConnectionState {
    /// A whole response is there; returns how to send it, nil where no request waits for one.
    mutating func respond() -> Exchange? {
        guard case .responding(var exchange) = phase else { return nil }
        exchange.keepsAlive = exchange.keepsAlive && !isDraining
        phase = exchange.keepsAlive ? .idle : .closing
        return exchange
    }

    /// A response begins that is written piece by piece; returns how to send its head, nil where no request waits for it.
    ///
    /// The response to HEAD ends with it.
    mutating func startStream() -> Exchange? {
        guard case .responding(var exchange) = phase else { return nil }
        exchange.keepsAlive = exchange.keepsAlive && exchange.isHTTP11 && !isDraining
        if exchange.isHead {
            phase = exchange.keepsAlive ? .idle : .closing
        } else {
            phase = .streaming(exchange, .serverClosed)
        }
        return exchange
    }

    /// Another protocol takes the connection; false where no request waits for a response.
    mutating func upgrade() -> Bool {
        guard isResponding else { return false }
        phase = .upgraded
        return true
    }

    /// The connection has closed; returns the reason for the writer of a stream.
    mutating func close(isFailure: Bool) -> StreamLoss {
        defer { phase = .closed }
        if isFailure { return .failed }
        return if case .streaming(_, let loss) = phase { loss } else { .serverClosed }
    }
}

// MARK: - Events

extension HTTPConnectionState {
    enum Event: Equatable {
        /// The parser rejects the bytes.
        case refused(RequestRefusal)
        case streamEnded
        case backlogFilled
        case backlogEmptied
        /// Unsent responses are below their bound.
        case outputHasRoom
        /// The kernel has accepted all output.
        case outputDrained
        case peerEnded
        /// The peer ended before the stream began, and the turn in which it began is over.
        case peerEndedBeforeStream
        /// The time of ``HTTPConnectionState/timeLimit`` is over.
        case deadlinePassed(isOutputEmpty: Bool)
        /// The peer has taken nothing of the output for longer than it may.
        case stalled
        case drainBegan
    }

    enum Action: Equatable {
        case none
        case readBacklog
        case pauseReading
        case resumeReading
        /// Answer with the refusal's problem document, then finish.
        case refuse(RequestRefusal)
        /// Report to the stream's writer that the output has drained.
        case notifyWriter
        case notifyOwner(OwnerNotice)
        /// Close once everything is written.
        case finish
        case close
        /// Close, and count the limit that was exceeded.
        case closeStalled(ConnectionLimit)
    }

    /// What the owner of an upgraded connection is notified of.
    enum OwnerNotice: Equatable {
        case peerEnded
        case outputDrained
        case drainBegan
    }

    mutating func on(_ event: Event) -> Action {
        switch event {
        case .refused(let refusal): refuse(refusal)
        case .streamEnded: endStream()
        case .backlogFilled: pauseReading()
        case .backlogEmptied: backlogEmptied()
        case .outputHasRoom: unblock()
        case .outputDrained: outputDrained()
        case .peerEnded: peerEnded()
        case .peerEndedBeforeStream: loseClient()
        case .deadlinePassed(let isOutputEmpty): deadlinePassed(isOutputEmpty: isOutputEmpty)
        case .stalled: stalled()
        case .drainBegan: drainBegan()
        }
    }

    private mutating func refuse(_ refusal: RequestRefusal) -> Action {
        guard phase == .head || phase == .body else { return .none }
        phase = .closing
        return .refuse(refusal)
    }

    private mutating func finish() -> Action {
        phase = .closing
        return .finish
    }

    private mutating func endStream() -> Action {
        guard case .streaming(let exchange, _) = phase else { return .none }
        guard exchange.keepsAlive, !isDraining else { return finish() }
        phase = .idle
        return .readBacklog
    }

    private mutating func pauseReading() -> Action {
        guard input == .reading else { return .none }
        input = .paused
        return .pauseReading
    }

    private mutating func backlogEmptied() -> Action {
        switch phase {
        case .opened, .idle, .head, .body, .upgraded: break
        case .blocked, .responding, .streaming, .closing, .closed: return .none
        }
        switch input {
        case .reading: return .none
        case .paused:
            input = .reading
            return .resumeReading
        case .ended: return endOfInput()
        }
    }

    private mutating func unblock() -> Action {
        guard phase == .blocked else { return .none }
        phase = .idle
        return .readBacklog
    }

    private func outputDrained() -> Action {
        switch phase {
        case .streaming: .notifyWriter
        case .upgraded: .notifyOwner(.outputDrained)
        case .opened, .idle, .blocked, .head, .body, .responding, .closing, .closed: .none
        }
    }

    private mutating func peerEnded() -> Action {
        guard input != .ended else { return .none }
        input = .ended
        return endOfInput()
    }

    /// Nothing follows what has arrived, and nothing of it waits in the backlog unless a response is due before it.
    private mutating func endOfInput() -> Action {
        switch phase {
        case .opened, .idle: finish()
        case .head, .body: refuse(.truncated)
        case .streaming: loseClient()
        case .upgraded: .notifyOwner(.peerEnded)
        case .blocked, .responding, .closing, .closed: .none
        }
    }

    private mutating func loseClient() -> Action {
        guard case .streaming(let exchange, _) = phase else { return .none }
        phase = .streaming(exchange, .clientLeft)
        return .close
    }

    private mutating func deadlinePassed(isOutputEmpty: Bool) -> Action {
        switch phase {
        case .opened, .idle: isOutputEmpty ? .close : .none
        case .head, .body: refuse(.timedOut)
        case .blocked, .responding, .streaming, .upgraded, .closing, .closed: .none
        }
    }

    private mutating func stalled() -> Action {
        switch phase {
        case .streaming(let exchange, _):
            phase = .streaming(exchange, .stalled)
            return .closeStalled(.streamStall)
        case .upgraded: return .closeStalled(.streamStall)
        case .opened, .idle, .blocked, .head, .body, .responding, .closing: return .closeStalled(.responseStall)
        case .closed: return .none
        }
    }

    private mutating func drainBegan() -> Action {
        isDraining = true
        switch phase {
        case .idle: return finish()
        case .upgraded: return .notifyOwner(.drainBegan)
        case .opened, .blocked, .head, .body, .responding, .streaming, .closing, .closed: return .none
        }
    }
}
