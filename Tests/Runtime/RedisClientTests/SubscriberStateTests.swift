import TestSupport
import Testing

@testable import RedisClient

private typealias State = SubscriberState<Int>
private typealias Step = (State.Event, [State.Action])

private let a = RedisChannel(name: "a", kind: .sharded)
private let b = RedisChannel(name: "b", kind: .plain)
private let moved = RedisServerError(message: "MOVED 1 127.0.0.1:1")
private let denied = RedisServerError(message: "NOPERM this user has no permissions to run the 'ssubscribe' command")

@Suite("The state of a subscriber", .tags(.unit))
struct SubscriberStateTests {
    private struct Row {
        let name: String
        let steps: [Step]

        init(_ name: String, after setup: [Step] = [], _ steps: Step...) {
            self.name = name
            self.steps = setup + steps
        }
    }

    private func check(_ rows: Row...) {
        for row in rows {
            var state = State()
            for (number, step) in row.steps.enumerated() {
                #expect(state.handle(step.0) == step.1, "\(row.name), step \(number + 1)")
            }
        }
    }

    /// Brings `a` to the phase confirmed.
    private let confirmed: [Step] = [
        (.connected, []),
        (.subscribe(a, 1, due: 10), [.subscribe(a), .watchDeadline(10)]),
        (.replied(.confirmation(channel: "a")), [.complete([1], nil)]),
    ]

    @Test("subscribes once per channel and completes every waiter by its confirmation")
    func subscribing() {
        check(
            Row(
                "before the connection",
                (.subscribe(a, 1, due: 10), [.watchDeadline(10)]),
                (.subscribe(b, 2, due: 20), [.watchDeadline(20)]),
                (.subscribe(a, 3, due: 30), [.watchDeadline(30)]),
                (.connected, [.subscribe(a), .subscribe(b)]),
                (.replied(.confirmation(channel: "a")), [.complete([1, 3], nil)]),
                (.replied(.confirmation(channel: "b")), [.complete([2], nil)]),
            ),
            Row(
                "on a connection",
                (.connected, []),
                (.subscribe(a, 1, due: 10), [.subscribe(a), .watchDeadline(10)]),
                (.subscribe(a, 2, due: 20), [.watchDeadline(20)]),
                (.replied(.confirmation(channel: "a")), [.complete([1, 2], nil)]),
                (.subscribe(a, 3, due: 30), [.completeLater(3, nil)]),
            ),
        )
    }

    @Test("unsubscribes, cancels the waiters, and ignores the reply to the channel's earlier subscription")
    func unsubscribing() {
        check(
            Row("an absent channel", (.connected, []), (.unsubscribe(a), [])),
            Row(
                "without a connection",
                (.subscribe(a, 1, due: 10), [.watchDeadline(10)]),
                (.unsubscribe(a), [.complete([1], .cancelled)]),
                (.connected, []),
            ),
            Row(
                "and subscribes again before the replies",
                (.connected, []),
                (.subscribe(a, 1, due: 10), [.subscribe(a), .watchDeadline(10)]),
                (.unsubscribe(a), [.unsubscribe(a), .complete([1], .cancelled)]),
                (.subscribe(a, 2, due: 10), [.subscribe(a), .watchDeadline(10)]),
                (.replied(.confirmation(channel: "a")), []),
                (.replied(.confirmation(channel: "a")), []),
                (.subscribe(a, 3, due: 10), [.watchDeadline(10)]),
                (.replied(.confirmation(channel: "a")), [.complete([2, 3], nil)]),
            ),
            Row("a confirmed channel", after: confirmed, (.unsubscribe(a), [.unsubscribe(a)])),
        )
    }

    @Test("fails waiters at their deadline and keeps a channel that another call has subscribed")
    func deadlines() {
        check(
            Row(
                "without a connection",
                (.attemptFailed(reason: "refused"), []),
                (.subscribe(a, 1, due: 10), [.watchDeadline(10)]),
                (.subscribe(b, 2, due: 20), [.watchDeadline(20)]),
                (.deadlinePassed(now: 9), []),
                (.deadlinePassed(now: 10), [.complete([1], .notConnected(reason: "refused"))]),
                (.connected, [.subscribe(b)]),
            ),
            Row(
                "on a connection",
                (.connected, []),
                (.subscribe(a, 1, due: 10), [.subscribe(a), .watchDeadline(10)]),
                (.subscribe(a, 2, due: 20), [.watchDeadline(20)]),
                (.deadlinePassed(now: 10), [.complete([1], .timedOut)]),
                (.deadlinePassed(now: 20), [.unsubscribe(a), .complete([2], .timedOut)]),
                (.replied(.confirmation(channel: "a")), []),
                (.replied(.confirmation(channel: "a")), []),
            ),
            Row(
                "of a later call during a gap",
                after: confirmed,
                (.disconnected(reason: "lost"), [.reportLoss]),
                (.subscribe(a, 2, due: 20), [.watchDeadline(20)]),
                (.deadlinePassed(now: 20), [.complete([2], .notConnected(reason: "lost"))]),
                (.connected, [.subscribe(a)]),
                (.replied(.confirmation(channel: "a")), [.reportReconnect]),
            ),
        )
    }

    @Test("renews every channel after a gap and reports the reconnect with the last renewal")
    func reconnecting() {
        check(
            Row(
                "without channels",
                (.connected, []),
                (.disconnected(reason: "lost"), [.reportLoss]),
                (.attemptFailed(reason: "refused"), []),
                (.connected, [.reportReconnect]),
            ),
            Row(
                "with two channels, another one meanwhile, and one that is unsubscribed meanwhile",
                after: confirmed,
                (.subscribe(b, 2, due: 10), [.subscribe(b), .watchDeadline(10)]),
                (.disconnected(reason: "lost"), [.reportLoss]),
                (.connected, [.subscribe(a), .subscribe(b)]),
                (.unsubscribe(b), [.unsubscribe(b), .complete([2], .cancelled)]),
                (.subscribe(b, 3, due: 10), [.subscribe(b), .watchDeadline(10)]),
                (.replied(.confirmation(channel: "a")), []),
                (.replied(.confirmation(channel: "b")), [.reportReconnect]),
                (.replied(.confirmation(channel: "b")), []),
                (.replied(.confirmation(channel: "b")), [.complete([3], nil)]),
            ),
            Row(
                "and loses the connection again before",
                after: confirmed,
                (.disconnected(reason: "lost"), [.reportLoss]),
                (.connected, [.subscribe(a)]),
                (.disconnected(reason: nil), [.reportLoss]),
                (.connected, [.subscribe(a)]),
                (.replied(.confirmation(channel: "a")), [.reportReconnect]),
            ),
        )
    }

    @Test("fails a channel that Redis refuses; one that was confirmed before needs another connection")
    func refusals() {
        check(
            Row(
                "a new channel",
                (.connected, []),
                (.subscribe(a, 1, due: 10), [.subscribe(a), .watchDeadline(10)]),
                (.replied(.error(moved)), [.complete([1], .server(moved))]),
                (.subscribe(a, 2, due: 10), [.subscribe(a), .watchDeadline(10)]),
            ),
            Row(
                "a channel that waits since before the gap",
                (.connected, []),
                (.disconnected(reason: nil), [.reportLoss]),
                (.subscribe(a, 1, due: 10), [.watchDeadline(10)]),
                (.connected, [.subscribe(a)]),
                (.replied(.error(moved)), [.complete([1], .server(moved)), .reportReconnect]),
            ),
            Row(
                "a confirmed channel at its renewal",
                after: confirmed,
                (.disconnected(reason: "lost"), [.reportLoss]),
                (.connected, [.subscribe(a)]),
                (.subscribe(a, 2, due: 20), [.watchDeadline(20)]),
                (.replied(.error(moved)), [.closeConnection(reason: moved.message), .complete([2], .server(moved))]),
                (.disconnected(reason: moved.message), [.reportLoss]),
                (.connected, [.subscribe(a)]),
                (.replied(.confirmation(channel: "a")), [.reportReconnect]),
            ),
        )
    }

    @Test("reports a missing permission and closes the connection, whether or not a caller waits")
    func permissions() {
        let failed: [State.Action] = [
            .reportMissingPermission(reason: denied.message), .closeConnection(reason: denied.message),
        ]
        check(
            Row(
                "for a new channel beside a confirmed one",
                after: confirmed,
                (.subscribe(b, 2, due: 10), [.subscribe(b), .watchDeadline(10)]),
                (.replied(.error(denied)), failed + [.complete([2], .server(denied))]),
                (.disconnected(reason: denied.message), [.reportLoss]),
                (.connected, [.subscribe(a)]),
                (.replied(.error(denied)), failed),
                (.disconnected(reason: denied.message), [.reportLoss]),
                (.connected, [.subscribe(a)]),
                (.replied(.confirmation(channel: "a")), [.reportReconnect]),
            ),
            Row(
                "for a channel that is unsubscribed by now",
                (.connected, []),
                (.subscribe(a, 1, due: 10), [.subscribe(a), .watchDeadline(10)]),
                (.unsubscribe(a), [.unsubscribe(a), .complete([1], .cancelled)]),
                (.replied(.error(denied)), failed),
            ),
            Row(
                "for unsubscribing",
                after: confirmed,
                (.unsubscribe(a), [.unsubscribe(a)]),
                (.replied(.error(denied)), failed)
            ),
        )
    }

    @Test("closes a connection whose replies fit no command")
    func mismatches() {
        let ended: [State.Action] = [.closeConnection(reason: "Redis ended a subscription by itself")]
        check(
            Row(
                "a reply to nothing",
                (.connected, []),
                (.replied(.other), [.closeConnection(reason: "Redis sent a reply to no command")]),
            ),
            Row(
                "another channel",
                (.connected, []),
                (.subscribe(a, 1, due: 10), [.subscribe(a), .watchDeadline(10)]),
                (.replied(.confirmation(channel: "b")), ended),
            ),
            Row(
                "no channel",
                (.connected, []),
                (.subscribe(a, 1, due: 10), [.subscribe(a), .watchDeadline(10)]),
                (.replied(.other), ended),
            ),
            Row(
                "another channel than the unsubscribed one",
                after: confirmed,
                (.unsubscribe(a), [.unsubscribe(a)]),
                (.replied(.confirmation(channel: "b")), ended),
            ),
            Row("after the connection", (.replied(.other), [])),
        )
    }

    @Test("sends one PING at a time")
    func pings() {
        check(
            Row(
                "",
                (.pingDue(now: 1), []),
                (.connected, []),
                (.pingDue(now: 2), [.ping]),
                (.pingDue(now: 3), []),
                (.replied(.other), []),
                (.pingDue(now: 4), [.ping]),
                (.replied(.error(denied)), []),
                (.pingDue(now: 5), [.ping]),
                (.disconnected(reason: nil), [.reportLoss]),
                (.pingDue(now: 6), []),
                (.connected, [.reportReconnect]),
                (.pingDue(now: 7), [.ping]),
            )
        )
    }

    @Test("closes once, fails all waiters, and does nothing afterwards")
    func closing() {
        check(
            Row(
                "with a connection",
                (.connected, []),
                (.subscribe(a, 1, due: 10), [.subscribe(a), .watchDeadline(10)]),
                (.subscribe(b, 2, due: 10), [.subscribe(b), .watchDeadline(10)]),
                (.close, [.closeConnection(reason: nil), .complete([1, 2], .closed)]),
                (.disconnected(reason: nil), []),
                (.close, []),
                (.subscribe(a, 3, due: 10), [.completeLater(3, .closed)]),
                (.unsubscribe(a), []),
                (.deadlinePassed(now: 99), []),
                (.pingDue(now: 99), []),
                (.attemptFailed(reason: "refused"), []),
                (.connected, [.closeConnection(reason: nil)]),
            ),
            Row("without a connection", (.close, [])),
        )
    }
}
