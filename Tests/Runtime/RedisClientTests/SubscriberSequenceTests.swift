import TestSupport
import Testing

@testable import RedisClient

private typealias State = SubscriberState<Int>

private let moved = RedisServerError(message: "MOVED 1 127.0.0.1:1")
private let denied = RedisServerError(message: "NOPERM this user has no permissions to run the 'ssubscribe' command")

@Suite("The state of a subscriber, in random sequences", .tags(.unit))
struct SubscriberSequenceTests {
    @Test("completes each waiter exactly once, and knows each command's reply", arguments: 1...20)
    func random(seed: UInt64) {
        var world = SubscriberWorld(seed: seed)
        for _ in 0..<3000 { world.step() }
        world.settle()
    }
}

/// A server, a connection and callers around a state; it replies to commands in order, with random results.
private struct SubscriberWorld {
    private enum Command {
        case subscribe(RedisChannel)
        case unsubscribe(RedisChannel)
        case ping
    }

    private var state = State()
    private var random: SeededRandom
    private var now: Int64 = 0
    /// Commands on the wire; nil without a connection.
    private var wire: [Command]?
    /// The server's subscriptions of the connection.
    private var subscribed: Set<RedisChannel> = []
    private var waiting: Set<Int> = []
    private var settled: Set<Int> = []
    private var waiters = 0
    private var isLost = false

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func step() {
        now += Int64.random(in: 0...3, using: &random)
        let channels = ["a", "b", "c", "d"].map { RedisChannel(name: $0, kind: .sharded) }
        let channel = channels[Int.random(in: 0..<4, using: &random)]
        switch Int.random(in: 0..<20, using: &random) {
        case 0...3:
            waiters += 1
            waiting.insert(waiters)
            apply(.subscribe(channel, waiters, due: now + Int64.random(in: 1...30, using: &random)))
        case 4, 5: apply(.unsubscribe(channel))
        case 6: if wire == nil { connect() } else { apply(.pingDue(now: now)) }
        case 7: if wire == nil { connect() }
        case 8: if Int.random(in: 0..<4, using: &random) == 0 { disconnect() }
        case 9: apply(.deadlinePassed(now: now))
        case _: reply(isRefused: Int.random(in: 0..<12, using: &random) == 0)
        }
        check()
    }

    /// Lets the server reply to everything, then closes.
    mutating func settle() {
        if wire == nil { connect() }
        while wire?.isEmpty == false { reply(isRefused: false) }
        #expect(!isLost, "a gap without a reconnect")
        #expect(waiting.isEmpty && subscribed.count == state.channelCount)
        apply(.close)
        #expect(settled.count == waiters)
    }

    private mutating func connect() {
        wire = []
        subscribed = []
        apply(.connected)
    }

    private mutating func disconnect() {
        guard wire != nil else { return }
        wire = nil
        apply(.disconnected(reason: "lost"))
    }

    private mutating func reply(isRefused: Bool) {
        guard let command = wire?.first else { return }
        wire?.removeFirst()
        switch command {
        case .ping: apply(.replied(.other))
        case .subscribe(let channel):
            if isRefused {
                apply(.replied(.error(Bool.random(using: &random) ? denied : moved)))
            } else {
                subscribed.insert(channel)
                apply(.replied(.confirmation(channel: channel.name)))
            }
        case .unsubscribe(let channel):
            subscribed.remove(channel)
            apply(.replied(.confirmation(channel: channel.name)))
        }
    }

    private mutating func apply(_ event: State.Event) {
        var hasCompleted = false
        for action in state.handle(event) {
            switch action {
            case .subscribe(let channel): send(.subscribe(channel), hasCompleted)
            case .unsubscribe(let channel): send(.unsubscribe(channel), hasCompleted)
            case .ping: send(.ping, hasCompleted)
            case .complete(let completed, _):
                hasCompleted = true
                for waiter in completed { complete(waiter) }
            case .completeLater(let waiter, _): complete(waiter)
            case .closeConnection: disconnect()
            case .reportLoss: isLost = true
            case .reportReconnect:
                #expect(isLost, "a reconnect without a gap")
                isLost = false
            case .watchDeadline, .reportMissingPermission: break
            }
        }
    }

    private mutating func send(_ command: Command, _ hasCompleted: Bool) {
        #expect(wire != nil && !hasCompleted, "commands come first, and only on a connection")
        wire?.append(command)
    }

    private mutating func complete(_ waiter: Int) {
        #expect(waiting.remove(waiter) != nil, "waiter \(waiter) was completed twice")
        settled.insert(waiter)
    }

    private func check() {
        #expect(state.isConnected == (wire != nil))
        // Without commands on the wire, state and server agree.
        if wire?.isEmpty == true { #expect(subscribed.count == state.channelCount) }
    }
}
