package import EventLoop
internal import Time

/// Hears what a ``RedisSubscriber`` receives, on the loop's thread.
package protocol RedisSubscriberDelegate: AnyObject {
    /// A message, straight from the parser's memory: both views are valid during the call only. Messages of a channel
    /// that was left a moment ago may still come.
    func subscriberDidReceive(_ payload: UnsafeRawBufferPointer, on channel: UnsafeRawBufferPointer)
    /// Messages are being lost from now on, or have been for a while.
    func subscriberDidLoseConnection()
    /// Every channel that was subscribed is confirmed again. Messages in between are lost: read what was missed.
    func subscriberDidReconnect()
}

/// How a channel is subscribed.
package enum RedisSubscriptionKind: Sendable {
    /// SUBSCRIBE: every node of a cluster hears it.
    case plain
    /// SSUBSCRIBE: only the shard that owns the channel's slot does.
    case sharded
}

/// A client for pub/sub: one connection with any number of channels that comes back by itself, channels included.
///
/// Delivery is at most once: what is published while the connection is away is lost, and the delegate is told of every
/// such gap. A PING with a deadline finds a connection that died without a word. Loop-owned; lives until ``close()``.
package final class RedisSubscriber: ReconnectionOwner, RedisWireOwner {
    package let loop: Loop
    /// Held until ``close()``.
    package var delegate: (any RedisSubscriberDelegate)?

    private let configuration: RedisConfiguration
    private let observer: (any RedisObserver)?
    private var reconnecting: Task<Void, Never>?
    private var wire: RedisWire?
    private var heartbeat: LoopTimer?
    private var pingSentAt: Int64?
    private var isClosed = false
    private var reason = "not connected yet"

    private var channels: [RedisChannel: RedisSubscription] = [:]
    /// What Redis owes an answer to, oldest first.
    private var owed = FIFO<Owed>()
    /// Confirmations to come until a reconnect is complete; nil when none is under way.
    private var missingAfterReconnect: Int?
    private let silence: DeadlineWatch
    private let deadlines: DeadlineWatch

    private enum Owed {
        case subscribe(RedisSubscription, isRenewal: Bool)
        case unsubscribe(RedisChannel)
        case pong
    }

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
        // Not weak: that would make every retain of this object a slow one. It outlives its timers, because the task
        // that reconnects holds it until `close()`, which ends them.
        silence.onDeadline { [unowned self] in checkSilence() }
        deadlines.onDeadline { [unowned self] in dropLateWaiters() }
        let reconnection = Reconnection(loop: loop, configuration: configuration, observer: observer)
        reconnecting = loop.spawn { await reconnection.run(for: self) }
    }

    package var isConnected: Bool { wire != nil }
    package var channelCount: Int { channels.count }

    /// Fails what waits for a confirmation with `closed`.
    ///
    /// Idempotent.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        reconnecting?.cancel()
        reconnecting = nil
        delegate = nil
        wire?.close()
        deadlines.close()
        let dropped = channels
        channels = [:]
        for subscription in dropped.values { subscription.settle(.failure(.closed)) }
    }

    // MARK: Subscribing

    /// Subscribes and waits for Redis' confirmation, at most `deadline`.
    ///
    /// Cancelling gives up waiting, not the channel.
    package func subscribe(
        to channel: String,
        _ kind: RedisSubscriptionKind = .sharded,
        deadline: Duration,
    ) async throws(RedisError) {
        let outcome = OneShot<Result<Void, RedisError>>(loop: loop)
        subscribe(to: channel, kind, deadline: deadline) { outcome.succeed($0) }
        try await outcome.settled()
    }

    /// Subscribes; `completion` hears Redis' confirmation, after which nothing published is missed as long as the
    /// connection lives.
    ///
    /// Over a reconnect it keeps waiting until `deadline`. After a failure the channel is not subscribed, unless
    /// another call for it has succeeded. Subscribing to a confirmed channel again succeeds at once.
    package func subscribe(
        to name: String,
        _ kind: RedisSubscriptionKind = .sharded,
        deadline: Duration,
        _ completion: @escaping (Result<Void, RedisError>) -> Void,
    ) {
        guard !isClosed else {
            loop.executeSoon { completion(.failure(.closed)) }
            return
        }
        let channel = RedisChannel(name: name, kind: kind)
        if let subscription = channels[channel], subscription.isConfirmed {
            loop.executeSoon { completion(.success(())) }
            return
        }
        let isNew = channels[channel] == nil
        let subscription = channels[channel] ?? RedisSubscription(channel)
        let due = loop.nowMilliseconds + deadline.wholeMilliseconds
        subscription.waiters.append(.init(due: due, completion: completion))
        deadlines.watch(due)
        guard isNew else { return }
        channels[channel] = subscription
        if wire != nil { send(subscription, isRenewal: false) }
    }

    /// Leaves a channel.
    ///
    /// Who still waits for its confirmation gets `cancelled`. Leaving a channel twice does nothing.
    package func unsubscribe(from name: String, _ kind: RedisSubscriptionKind = .sharded) {
        let channel = RedisChannel(name: name, kind: kind)
        guard let subscription = channels.removeValue(forKey: channel) else { return }
        leave(channel)
        subscription.settle(.failure(.cancelled))
    }

    private func leave(_ channel: RedisChannel) {
        guard let wire else { return }
        owed.append(.unsubscribe(channel))
        wire.stream.write { output in
            RedisCommandWriter.format(2, into: &output) { command in
                switch channel.kind {
                case .plain: command.append("UNSUBSCRIBE" as StaticString)
                case .sharded: command.append("SUNSUBSCRIBE" as StaticString)
                }
                command.append(channel.name)
            }
        }
    }

    /// One channel per command, so that an error reply belongs to one channel.
    private func send(_ subscription: RedisSubscription, isRenewal: Bool) {
        guard let wire else { return }
        owed.append(.subscribe(subscription, isRenewal: isRenewal))
        let channel = subscription.channel
        wire.stream.write { output in
            RedisCommandWriter.format(2, into: &output) { command in
                switch channel.kind {
                case .plain: command.append("SUBSCRIBE" as StaticString)
                case .sharded: command.append("SSUBSCRIBE" as StaticString)
                }
                command.append(channel.name)
            }
        }
    }

    private func dropLateWaiters() {
        let earliest = channels.values.reduce(Int64.max) { min($0, $1.earliestDue) }
        guard deadlines.isReallyOver(earliest) else { return }
        let now = loop.nowMilliseconds
        let error = wire == nil ? RedisError.notConnected(reason: reason) : .timedOut
        for subscription in channels.values where subscription.earliestDue <= now {
            let late = subscription.takeWaiters(dueBy: now)
            if subscription.waiters.isEmpty, channels.removeValue(forKey: subscription.channel) != nil {
                leave(subscription.channel)
            }
            for waiter in late { waiter.completion(.failure(error)) }
        }
        deadlines.restart(channels.values.reduce(Int64.max) { min($0, $1.earliestDue) })
    }

    // MARK: Connection

    func prepare(_ connection: RedisConnection) async throws(RedisError) {}

    func connectionIsUp(_ connection: RedisConnection) {
        let wire = connection.handOver(to: self)
        self.wire = wire
        owed = FIFO()
        pingSentAt = nil
        let isReconnect = missingAfterReconnect != nil
        missingAfterReconnect = isReconnect ? channels.count : nil
        for subscription in channels.values { send(subscription, isRenewal: isReconnect) }
        heartbeat = loop.schedule(every: configuration.pingPeriod) { [unowned self] in beat() }
        if isReconnect { confirmReconnect(0) }
    }

    func connectionIsDown() {}

    func connectionFailed(_ reason: String) { self.reason = reason }

    func wireDidClose() {
        reason = wire?.failure ?? "closed"
        wire = nil
        heartbeat?.close()
        heartbeat = nil
        silence.close()
        missingAfterReconnect = 0
        for subscription in channels.values { subscription.isConfirmed = false }
        delegate?.subscriberDidLoseConnection()
    }

    /// Asks whether the server is alive.
    private func beat() {
        guard let wire, pingSentAt == nil else { return }
        pingSentAt = loop.nowMilliseconds
        silence.watch(silenceLimit)
        owed.append(.pong)
        wire.stream.write { output in
            RedisCommandWriter.format(1, into: &output) { $0.append("PING" as StaticString) }
        }
    }

    /// Until when Redis may say nothing at all, in loop time in milliseconds.
    private var silenceLimit: Int64 {
        guard let wire, let pingSentAt else { return .max }
        return max(pingSentAt, wire.receivedAt) + configuration.pingDeadline.wholeMilliseconds
    }

    private func checkSilence() {
        guard silence.isReallyOver(silenceLimit) else { return }
        observer?.timedOut()
        wire?.close(because: "the server is silent")
    }

    private func confirmReconnect(_ confirmed: Int) {
        guard let missing = missingAfterReconnect else { return }
        missingAfterReconnect = missing - confirmed
        guard missing == confirmed else { return }
        missingAfterReconnect = nil
        delegate?.subscriberDidReconnect()
    }

    // MARK: Receiving

    func wireDidReceive(_ reply: RedisReply) {
        if reply.count == 3, let kind = reply[0].bytes {
            if isMessage(kind) {
                guard let channel = reply[1].bytes, let payload = reply[2].bytes else { return }
                delegate?.subscriberDidReceive(payload, on: channel)
                return
            }
        }
        answer(reply)
    }

    /// True for `message` and `smessage`, the only kinds that end so.
    private func isMessage(_ kind: UnsafeRawBufferPointer) -> Bool {
        (kind.count == 7 || kind.count == 8) && kind[kind.count - 1] == UInt8(ascii: "e")
            && kind[kind.count - 7] == UInt8(ascii: "m")
    }

    private func answer(_ reply: RedisReply) {
        guard let owed = owed.popFirst() else {
            wire?.close(because: "a reply came that nobody asked for")
            return
        }
        switch owed {
        case .pong: pingSentAt = nil
        case .subscribe(let subscription, let isRenewal):
            if let error = reply.serverError {
                refused(subscription, error)
                if wire == nil { return }
            } else {
                guard isAbout(subscription.channel, reply) else { return }
                subscription.isConfirmed = true
                subscription.settle(.success(()))
            }
            if isRenewal { confirmReconnect(1) }
        case .unsubscribe(let channel): _ = isAbout(channel, reply)
        }
    }

    /// Redis also unsubscribes by itself, when a cluster's slot moves: then the order is off, and starting anew is safe.
    private func isAbout(_ channel: RedisChannel, _ reply: RedisReply) -> Bool {
        if reply.serverError != nil { return true }
        if reply.count == 3, let name = reply[1].bytes, name.elementsEqual(channel.name.utf8) { return true }
        wire?.close(because: "the server left a channel by itself")
        return false
    }

    private func refused(_ subscription: RedisSubscription, _ error: RedisServerError) {
        if subscription.waiters.isEmpty, channels[subscription.channel] === subscription {
            // A channel that was confirmed before a reconnect: nobody would hear that it is gone, so try again.
            wire?.close(because: error.message)
            return
        }
        if channels[subscription.channel] === subscription { channels[subscription.channel] = nil }
        subscription.settle(.failure(.server(error)))
    }
}
