package import EventLoop
internal import Time

/// Receives the messages and the gaps of a ``RedisSubscriber``, on the loop's thread.
package protocol RedisSubscriberDelegate: AnyObject {
    /// A message, straight from the parser's memory.
    ///
    /// Messages of a channel that was unsubscribed a moment ago may still arrive.
    func subscriberDidReceive(_ payload: Span<UInt8>, on channel: Span<UInt8>)
    /// Messages are lost from now on, or have been for a while.
    func subscriberDidLoseConnection()
    /// Every channel is confirmed again. Messages in between are lost: read what was missed.
    func subscriberDidReconnect()
}

/// A client for pub/sub: one connection with any number of channels that reconnects by itself and subscribes again.
///
/// Delivery is at most once: what is published while the connection is down is lost, and the delegate is notified of each
/// such gap. A PING with a deadline detects a connection that died silently. ``SubscriberState`` decides, this class
/// executes. Loop-owned; lives until ``close()``.
package final class RedisSubscriber: ReconnectionOwner, RedisWireOwner {
    private typealias Completion = (Result<Void, RedisError>) -> Void

    package let loop: Loop
    /// Held until ``close()``.
    package var delegate: (any RedisSubscriberDelegate)?

    private let configuration: RedisConfiguration
    private let observer: (any RedisObserver)?
    private var state = SubscriberState<Completion>()
    private var reconnecting: Task<Void, Never>?
    private var wire: RedisWire?
    private var heartbeat: LoopTimer?
    private let silence: DeadlineWatch
    private let deadlines: DeadlineWatch

    /// Begins to connect at once.
    package init(
        _ configuration: RedisConfiguration,
        on loop: Loop,
        delegate: any RedisSubscriberDelegate,
        observer: (any RedisObserver)? = nil,
    ) {
        self.loop = loop
        self.configuration = configuration
        self.delegate = delegate
        self.observer = observer
        silence = DeadlineWatch(loop: loop)
        deadlines = DeadlineWatch(loop: loop)
        // Safety: not weak, because that would make every retain of this object a slow one. It outlives its timers: the
        // task that reconnects holds it until `close()`, which ends them.
        silence.onDeadline { [unowned self] in checkSilence() }
        deadlines.onDeadline { [unowned self] in checkDeadlines() }
        let reconnection = Reconnection(loop: loop, configuration: configuration, observer: observer)
        reconnecting = loop.spawn { await reconnection.run(for: self) }
    }

    package var isConnected: Bool { state.isConnected }
    package var channelCount: Int { state.channelCount }

    /// Fails every waiting caller with `closed`.
    ///
    /// Idempotent.
    package func close() {
        reconnecting?.cancel()
        reconnecting = nil
        delegate = nil
        deadlines.close()
        apply(.close)
    }

    // MARK: Subscribing

    /// Subscribes and waits for the confirmation of Redis, at most `deadline`.
    ///
    /// Cancelling ends the wait; the channel stays subscribed.
    package func subscribe(
        to channel: String,
        _ kind: RedisSubscriptionKind = .sharded,
        deadline: Duration,
    ) async throws(RedisError) {
        let outcome = OneShot<Result<Void, RedisError>>(loop: loop)
        subscribe(to: channel, kind, deadline: deadline) { outcome.succeed($0) }
        try await outcome.settled()
    }

    /// Subscribes; `completion` receives the confirmation of Redis, after which no published message is missed as long as
    /// the connection lives.
    ///
    /// The wait goes on over a reconnect, until `deadline`. After a failure the channel is not subscribed, unless another
    /// call for it has succeeded. Subscribing to a confirmed channel again succeeds at once. After a refusal for a missing
    /// permission the connection counts as failed: the observer is notified, and the next one subscribes again.
    package func subscribe(
        to name: String,
        _ kind: RedisSubscriptionKind = .sharded,
        deadline: Duration,
        _ completion: @escaping (Result<Void, RedisError>) -> Void,
    ) {
        let due = loop.nowMilliseconds + deadline.wholeMilliseconds
        apply(.subscribe(RedisChannel(name: name, kind: kind), completion, due: due))
    }

    /// Ends a subscription; callers that wait for its confirmation get `cancelled`.
    ///
    /// Idempotent.
    package func unsubscribe(from name: String, _ kind: RedisSubscriptionKind = .sharded) {
        apply(.unsubscribe(RedisChannel(name: name, kind: kind)))
    }

    // MARK: Executing

    private func apply(_ event: SubscriberState<Completion>.Event) {
        for action in state.handle(event) { perform(action) }
    }

    private func perform(_ action: SubscriberState<Completion>.Action) {
        switch action {
        case .subscribe(let channel): send(channel, plain: "SUBSCRIBE", sharded: "SSUBSCRIBE")
        case .unsubscribe(let channel): send(channel, plain: "UNSUBSCRIBE", sharded: "SUNSUBSCRIBE")
        case .ping: ping()
        case .complete(let completions, let error):
            let result: Result<Void, RedisError> = error.map { .failure($0) } ?? .success(())
            for completion in completions { completion(result) }
        case .completeLater(let completion, let error):
            loop.executeSoon { completion(error.map { .failure($0) } ?? .success(())) }
        case .watchDeadline(let due): deadlines.watch(due)
        case .closeConnection(let reason): wire?.close(because: reason)
        case .reportMissingPermission(let reason): observer?.permissionMissing(reason: reason)
        case .reportLoss: delegate?.subscriberDidLoseConnection()
        case .reportReconnect: delegate?.subscriberDidReconnect()
        }
    }

    /// One channel per command, so that an error reply belongs to one channel.
    private func send(_ channel: RedisChannel, plain: StaticString, sharded: StaticString) {
        wire?.stream.write { output in
            RedisCommandWriter.format(2, into: &output) { command in
                switch channel.kind {
                case .plain: command.append(plain)
                case .sharded: command.append(sharded)
                }
                command.append(channel.name)
            }
        }
    }

    private func ping() {
        silence.watch(silenceLimit)
        wire?.stream.write { output in
            RedisCommandWriter.format(1, into: &output) { $0.append("PING" as StaticString) }
        }
    }

    private func checkDeadlines() {
        guard deadlines.isReallyOver(state.earliestDeadline) else { return }
        apply(.deadlinePassed(now: loop.nowMilliseconds))
        deadlines.restart(state.earliestDeadline)
    }

    /// Until when the server may be silent after a PING, in loop time in milliseconds.
    private var silenceLimit: Int64 {
        guard let wire, let pingSentAt = state.pingSentAt else { return .max }
        return max(pingSentAt, wire.receivedAt) + configuration.pingDeadline.wholeMilliseconds
    }

    private func checkSilence() {
        guard silence.isReallyOver(silenceLimit) else { return }
        observer?.timedOut()
        wire?.close(because: "the server is silent")
    }

    // MARK: ReconnectionOwner

    func prepare(_ connection: RedisConnection) async throws(RedisError) {}

    func connectionIsUp(_ connection: RedisConnection) {
        wire = connection.transfer(to: self)
        heartbeat = loop.schedule(every: configuration.pingPeriod) { [unowned self] in
            apply(.pingDue(now: loop.nowMilliseconds))
        }
        apply(.connected)
    }

    func connectionIsDown() {}

    func connectionFailed(_ reason: String) { apply(.attemptFailed(reason: reason)) }

    // MARK: RedisWireOwner

    func wireDidClose() {
        let reason = wire?.failure
        wire = nil
        heartbeat?.close()
        heartbeat = nil
        silence.close()
        apply(.disconnected(reason: reason))
    }

    /// Messages, the hot path, go straight to the delegate; every other reply is an event of the state.
    func wireDidReceive(_ reply: RedisReply) {
        guard reply.isMessage else { return apply(.replied(SubscriberReply(reply))) }
        // Safety: hiredis frees the bytes of both after this call.
        let (payload, channel) = unsafe (reply[2].bytes, reply[1].bytes)
        unsafe delegate?.subscriberDidReceive(Span(_unsafeBytes: payload), on: Span(_unsafeBytes: channel))
    }
}

extension RedisReply {
    /// True for an array of `message` or `smessage`, the only kinds with these letters, a channel and a payload.
    fileprivate var isMessage: Bool {
        guard count == 3, self[0].hasBytes, self[1].hasBytes, self[2].hasBytes else { return false }
        let kind = unsafe self[0].bytes
        guard kind.count == 7 || kind.count == 8 else { return false }
        return unsafe kind[kind.count - 1] == UInt8(ascii: "e") && kind[kind.count - 7] == UInt8(ascii: "m")
    }
}

extension SubscriberReply {
    /// A confirmation is an array of the kind, the channel and the number of channels.
    fileprivate init(_ reply: RedisReply) {
        if let error = reply.serverError {
            self = .error(error)
        } else if reply.count == 3, reply[1].hasBytes {
            self = unsafe .confirmation(channel: String(decoding: reply[1].bytes, as: UTF8.self))
        } else {
            self = .other
        }
    }
}
