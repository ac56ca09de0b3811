/// The protocol of a ``RedisSubscriber`` as a value: it takes an event and returns the actions to execute, in order.
///
/// The connection:
/// ```
/// state            event                                  next state          actions
/// waiting          connected                              live                subscribe to each channel
/// interrupted      connected, with channels               restoring           subscribe to each channel
/// interrupted      connected, without channels            live                reportReconnect
/// restoring        reply to the last renewal              live                reportReconnect
/// live, restoring  pingDue, no PING unanswered            unchanged           ping
/// live, restoring  permission missing                     unchanged           reportMissingPermission, closeConnection
/// live, restoring  reply that fits no sent command        unchanged           closeConnection
/// live, restoring  disconnected                           interrupted         reportLoss
/// any              close                                  closed              closeConnection, complete every waiter
/// ```
/// A channel:
/// ```
/// absent                 subscribe                        wanted              subscribe, if connected
/// wanted, interrupted    subscribe                        unchanged           (one more waiter)
/// wanted, interrupted    confirmation                     confirmed           complete the waiters
/// wanted                 refusal                          absent              complete the waiters with the error
/// wanted                 last waiter's deadline           absent              unsubscribe, if connected; complete it
/// interrupted            refusal                          interrupted         closeConnection; complete the waiters
/// interrupted            a waiter's deadline              interrupted         complete it
/// confirmed              subscribe                        confirmed           completeLater
/// confirmed              disconnected                     interrupted         none
/// any                    unsubscribe                      absent              unsubscribe, if connected; cancel the waiters
/// ```
/// Commands come first in each list of actions: a completion may use the subscriber again, and its commands must follow.
/// `Waiter` is opaque here: the caller that waits for a confirmation.
struct SubscriberState<Waiter> {
    enum Event {
        /// `due` in loop time in milliseconds.
        case subscribe(RedisChannel, Waiter, due: Int64)
        case unsubscribe(RedisChannel)
        case connected
        /// An attempt to connect failed.
        case attemptFailed(reason: String)
        /// `reason` is nil where the subscriber closed the connection itself.
        case disconnected(reason: String?)
        case replied(SubscriberReply)
        /// It is time to check that the server is alive.
        case pingDue(now: Int64)
        /// A waiter's deadline may have passed.
        case deadlinePassed(now: Int64)
        case close
    }

    enum Action {
        case subscribe(RedisChannel)
        case unsubscribe(RedisChannel)
        case ping
        /// Nil means success.
        case complete([Waiter], RedisError?)
        /// The same in a later turn, never inside the caller's own call.
        case completeLater(Waiter, RedisError?)
        case watchDeadline(Int64)
        /// ``Event/disconnected(reason:)`` follows.
        case closeConnection(reason: String?)
        case reportMissingPermission(reason: String)
        case reportLoss
        case reportReconnect
    }

    private enum Phase {
        /// There was no connection yet; with the reason.
        case waiting(reason: String)
        /// There was a connection; with the reason why there is none.
        case interrupted(reason: String)
        case connected(Connection)
        case closed
    }

    private struct Connection {
        /// Commands without a reply, oldest first.
        var unanswered = FIFO<Command>()
        /// Renewals without a reply; nil once all channels are restored.
        var renewalsMissing: Int?
        /// Loop time in milliseconds; nil without an unanswered PING.
        var pingSentAt: Int64?
    }

    private enum Command {
        case subscribe(RedisChannel, serial: Int, isRenewal: Bool)
        case unsubscribe(RedisChannel)
        case ping
    }

    private struct Subscription {
        enum Phase {
            /// No call has succeeded yet.
            case wanted
            case confirmed
            /// A call has succeeded, and the connection was lost since.
            case interrupted
        }

        struct Waiting {
            let waiter: Waiter
            let due: Int64
        }

        /// Distinguishes a channel from the same channel before an unsubscribe, whose reply may still come.
        let serial: Int
        var phase = Phase.wanted
        var waiting: [Waiting] = []
    }

    private var phase = Phase.waiting(reason: "not connected yet")
    private var subscriptions: [RedisChannel: Subscription] = [:]
    private var serials = 0

    var channelCount: Int { subscriptions.count }

    var isConnected: Bool {
        switch phase {
        case .connected: true
        case .waiting, .interrupted, .closed: false
        }
    }

    /// When the unanswered PING was sent, in loop time in milliseconds.
    var pingSentAt: Int64? {
        switch phase {
        case .connected(let connection): connection.pingSentAt
        case .waiting, .interrupted, .closed: nil
        }
    }

    /// The earliest deadline of a waiter in loop time in milliseconds; `.max` without one.
    var earliestDeadline: Int64 {
        subscriptions.values.reduce(.max) { earliest, subscription in
            subscription.waiting.reduce(earliest) { min($0, $1.due) }
        }
    }

    mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .subscribe(let channel, let waiter, let due): subscribe(channel, waiter, due)
        case .unsubscribe(let channel): unsubscribe(channel)
        case .connected: connected()
        case .attemptFailed(let reason): attemptFailed(reason)
        case .disconnected(let reason): disconnected(reason)
        case .replied(let reply): replied(reply)
        case .pingDue(let now): pingDue(now)
        case .deadlinePassed(let now): deadlinePassed(now)
        case .close: close()
        }
    }
}

/// What a subscriber needs to know of a reply that is not a message.
enum SubscriberReply {
    /// The reply to a subscribe or unsubscribe command, for the channel that it names.
    case confirmation(channel: String)
    case error(RedisServerError)
    /// Any other reply, such as that to PING.
    case other
}

// MARK: Channels

extension SubscriberState {
    private mutating func subscribe(_ channel: RedisChannel, _ waiter: Waiter, _ due: Int64) -> [Action] {
        if case .closed = phase { return [.completeLater(waiter, .closed)] }
        let waiting = Subscription.Waiting(waiter: waiter, due: due)
        switch subscriptions[channel]?.phase {
        case .confirmed: return [.completeLater(waiter, nil)]
        case .wanted, .interrupted:
            subscriptions[channel]?.waiting.append(waiting)
            return [.watchDeadline(due)]
        case nil:
            serials += 1
            subscriptions[channel] = Subscription(serial: serials, waiting: [waiting])
            let isSent = didSend(.subscribe(channel, serial: serials, isRenewal: false))
            return (isSent ? [.subscribe(channel)] : []) + [.watchDeadline(due)]
        }
    }

    private mutating func unsubscribe(_ channel: RedisChannel) -> [Action] {
        guard let removed = subscriptions.removeValue(forKey: channel) else { return [] }
        var actions: [Action] = didSend(.unsubscribe(channel)) ? [.unsubscribe(channel)] : []
        if !removed.waiting.isEmpty { actions.append(.complete(removed.waiting.map(\.waiter), .cancelled)) }
        return actions
    }

    private mutating func deadlinePassed(_ now: Int64) -> [Action] {
        var actions: [Action] = []
        var late: [Waiter] = []
        for (channel, var subscription) in inOrder where subscription.waiting.contains(where: { $0.due <= now }) {
            late += subscription.waiting.lazy.filter { $0.due <= now }.map(\.waiter)
            subscription.waiting.removeAll { $0.due <= now }
            let isAbandoned = subscription.waiting.isEmpty && subscription.phase == .wanted
            subscriptions[channel] = isAbandoned ? nil : subscription
            if isAbandoned, didSend(.unsubscribe(channel)) { actions.append(.unsubscribe(channel)) }
        }
        if !late.isEmpty { actions.append(.complete(late, lateError)) }
        return actions
    }

    private var lateError: RedisError {
        switch phase {
        case .waiting(let reason), .interrupted(let reason): .notConnected(reason: reason)
        case .connected: .timedOut
        case .closed: .closed
        }
    }

    /// The oldest subscription first.
    private var inOrder: [(key: RedisChannel, value: Subscription)] {
        subscriptions.sorted { $0.value.serial < $1.value.serial }
    }
}

// MARK: The connection

extension SubscriberState {
    private mutating func connected() -> [Action] {
        let isReconnect: Bool
        switch phase {
        case .waiting: isReconnect = false
        case .interrupted: isReconnect = true
        case .connected: preconditionFailure("a subscriber has one connection")
        case .closed: return [.closeConnection(reason: nil)]
        }
        let missing = isReconnect && !subscriptions.isEmpty ? subscriptions.count : nil
        phase = .connected(Connection(renewalsMissing: missing))
        var actions: [Action] = []
        for (channel, subscription) in inOrder {
            _ = didSend(.subscribe(channel, serial: subscription.serial, isRenewal: isReconnect))
            actions.append(.subscribe(channel))
        }
        if isReconnect, missing == nil { actions.append(.reportReconnect) }
        return actions
    }

    private mutating func attemptFailed(_ reason: String) -> [Action] {
        switch phase {
        case .waiting: phase = .waiting(reason: reason)
        case .interrupted: phase = .interrupted(reason: reason)
        case .connected, .closed: break
        }
        return []
    }

    private mutating func disconnected(_ reason: String?) -> [Action] {
        guard isConnected else { return [] }
        phase = .interrupted(reason: reason ?? "closed")
        for (channel, subscription) in subscriptions where subscription.phase == .confirmed {
            subscriptions[channel]?.phase = .interrupted
        }
        return [.reportLoss]
    }

    private mutating func pingDue(_ now: Int64) -> [Action] {
        guard isConnected, pingSentAt == nil else { return [] }
        withConnection { $0.pingSentAt = now }
        _ = didSend(.ping)
        return [.ping]
    }

    private mutating func close() -> [Action] {
        let wasConnected = isConnected
        phase = .closed
        let waiters = inOrder.flatMap { $0.value.waiting.map(\.waiter) }
        subscriptions = [:]
        return (wasConnected ? [.closeConnection(reason: nil)] : [])
            + (waiters.isEmpty ? [] : [.complete(waiters, .closed)])
    }

    /// Notes a command that is about to be sent; false without a connection.
    private mutating func didSend(_ command: Command) -> Bool {
        withConnection { $0.unanswered.append(command) } != nil
    }

    /// Lets `body` change the connection in place; nil without one.
    @discardableResult
    private mutating func withConnection<Result>(_ body: (inout Connection) -> Result) -> Result? {
        guard case .connected(var connection) = phase else { return nil }
        // Releases the other reference to the queue of commands, which would be copied otherwise.
        phase = .closed
        defer { phase = .connected(connection) }
        return body(&connection)
    }
}

// MARK: Replies

extension SubscriberState {
    private mutating func replied(_ reply: SubscriberReply) -> [Action] {
        guard let popped = withConnection({ $0.unanswered.popFirst() }) else { return [] }
        guard let command = popped else { return [.closeConnection(reason: "Redis sent a reply to no command")] }
        switch (command, reply) {
        case (.ping, _):
            withConnection { $0.pingSentAt = nil }
            return []
        case (.subscribe(let channel, let serial, let isRenewal), .error(let error)):
            return refused(channel, serial, error, isRenewal: isRenewal)
        case (.subscribe(let channel, let serial, let isRenewal), .confirmation(let name)) where name == channel.name:
            return confirmed(channel, serial) + (isRenewal ? renewalAnswered() : [])
        case (.unsubscribe, .error(let error)):
            return error.isMissingPermission ? missingPermission(error) : []
        case (.unsubscribe(let channel), .confirmation(let name)) where name == channel.name:
            return []
        case (.subscribe, .confirmation), (.subscribe, .other), (.unsubscribe, .confirmation), (.unsubscribe, .other):
            // A cluster whose slot moves unsubscribes by itself: replies and commands no longer match.
            return [.closeConnection(reason: "Redis ended a subscription by itself")]
        }
    }

    private mutating func confirmed(_ channel: RedisChannel, _ serial: Int) -> [Action] {
        guard let waiting = takeWaiting(channel, serial) else { return [] }
        subscriptions[channel]?.phase = .confirmed
        return waiting.isEmpty ? [] : [.complete(waiting, nil)]
    }

    private mutating func refused(
        _ channel: RedisChannel,
        _ serial: Int,
        _ error: RedisServerError,
        isRenewal: Bool,
    ) -> [Action] {
        var actions = error.isMissingPermission ? missingPermission(error) : []
        guard let waiting = takeWaiting(channel, serial) else {
            return actions.isEmpty && isRenewal ? renewalAnswered() : actions
        }
        switch subscriptions[channel]?.phase {
        case .wanted: subscriptions[channel] = nil
        case .confirmed, .interrupted:
            // The channel must come back, and its callers have no way to learn of the refusal: a new connection retries.
            if actions.isEmpty { actions = [.closeConnection(reason: error.message)] }
        case nil: break
        }
        let isKept = actions.isEmpty
        if !waiting.isEmpty { actions.append(.complete(waiting, .server(error))) }
        return isKept && isRenewal ? actions + renewalAnswered() : actions
    }

    /// A permission that one command misses is missed by all later ones, so the connection is of no use.
    private func missingPermission(_ error: RedisServerError) -> [Action] {
        [.reportMissingPermission(reason: error.message), .closeConnection(reason: error.message)]
    }

    /// The waiters of a subscription; nil where it is not this one any more.
    private mutating func takeWaiting(_ channel: RedisChannel, _ serial: Int) -> [Waiter]? {
        guard let subscription = subscriptions[channel], subscription.serial == serial else { return nil }
        subscriptions[channel]?.waiting = []
        return subscription.waiting.map(\.waiter)
    }

    private mutating func renewalAnswered() -> [Action] {
        let isRestored = withConnection { connection in
            guard let missing = connection.renewalsMissing else { return false }
            connection.renewalsMissing = missing > 1 ? missing - 1 : nil
            return missing == 1
        }
        return isRestored == true ? [.reportReconnect] : []
    }
}

extension SubscriberState.Action: Equatable where Waiter: Equatable {}
