import TestSupport
import Testing

@testable import PostgresClient

private typealias Step = (PoolState.Event, [PoolState.Action])

private let start = ContinuousClock.now

private func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }
private func connection(_ number: Int) -> PoolState.ConnectionID { .init(number: number) }
private func caller(_ number: Int) -> PoolState.CallerID { .init(number: number) }

private func limits(connections: Int = 2, callers: Int = 3) -> PoolState.Limits {
    .init(connectionsMax: connections, callersMax: callers, probeAfter: .seconds(10), closeAfter: .seconds(60))
}

@Suite("The state of a pool", .tags(.unit))
struct PoolStateTests {
    private let unreachable = PostgresError.unreachable(reason: "refused")

    private func check(_ name: String, _ limits: PoolState.Limits = limits(), _ steps: Step...) {
        var state = PoolState(limits)
        for (number, step) in steps.enumerated() {
            #expect(state.handle(step.0) == step.1, "\(name), step \(number + 1)")
        }
    }

    @Test("opens a connection per waiting caller up to the limit, and grants in the order of the callers")
    func opening() {
        check(
            "three callers, two connections",
            limits(),
            (.lease(caller(1)), [.open(connection(1))]),
            (.lease(caller(2)), [.open(connection(2))]),
            (.lease(caller(3)), []),
            (.lease(caller(4)), [.fail(caller(4), .exhausted)]),
            (.opened(connection(2), now: at(0)), [.grant(connection(2), to: caller(1))]),
            (.released(connection(2), now: at(1)), [.grant(connection(2), to: caller(2))]),
            (.opened(connection(1), now: at(2)), [.grant(connection(1), to: caller(3))]),
            (.released(connection(1), now: at(3)), []),
            (.released(connection(2), now: at(4)), []),
            (.lease(caller(5)), [.grant(connection(2), to: caller(5))]),
            (.lease(caller(6)), [.grant(connection(1), to: caller(6))]),
        )
        check(
            "a caller that leaves before its connection is open",
            limits(),
            (.lease(caller(1)), [.open(connection(1))]),
            (.cancelled(caller(1)), []),
            (.opened(connection(1), now: at(0)), []),
            (.lease(caller(2)), [.grant(connection(1), to: caller(2))]),
            (.cancelled(caller(2)), []),
        )
    }

    @Test("fails waiting callers without a connection in use, at their deadline, and at the end")
    func failing() {
        check(
            "the last connection that is opening",
            limits(),
            (.lease(caller(1)), [.open(connection(1))]),
            (.lease(caller(2)), [.open(connection(2))]),
            (.lease(caller(3)), []),
            (.openFailed(connection(1), unreachable), []),
            (
                .openFailed(connection(2), unreachable),
                [.fail(caller(1), unreachable), .fail(caller(2), unreachable), .fail(caller(3), unreachable)]
            ),
        )
        check(
            "a failed connection beside one in use",
            limits(),
            (.lease(caller(1)), [.open(connection(1))]),
            (.opened(connection(1), now: at(0)), [.grant(connection(1), to: caller(1))]),
            (.lease(caller(2)), [.open(connection(2))]),
            (.openFailed(connection(2), unreachable), []),
            (.released(connection(1), now: at(1)), [.grant(connection(1), to: caller(2))]),
        )
        check(
            "a deadline",
            limits(connections: 1),
            (.lease(caller(1)), [.open(connection(1))]),
            (.deadlinePassed(caller(1)), [.fail(caller(1), .exhausted)]),
            (.deadlinePassed(caller(1)), []),
            (.opened(connection(1), now: at(0)), []),
        )
    }

    @Test("takes an abandoned connection out of use and gives its place away only when it has ended")
    func abandoning() {
        check(
            "at the limit",
            limits(connections: 1),
            (.lease(caller(1)), [.open(connection(1))]),
            (.opened(connection(1), now: at(0)), [.grant(connection(1), to: caller(1))]),
            (.lease(caller(2)), []),
            (.abandoned(connection(1)), [.cancel(connection(1))]),
            (.released(connection(1), now: at(1)), []),
            (.ended(connection(1)), [.reportEnded(isLost: false), .open(connection(2))]),
            (.opened(connection(2), now: at(2)), [.grant(connection(2), to: caller(2))]),
        )
        check(
            "below the limit, with a caller whose connection had failed",
            limits(),
            (.lease(caller(1)), [.open(connection(1))]),
            (.opened(connection(1), now: at(0)), [.grant(connection(1), to: caller(1))]),
            (.lease(caller(2)), [.open(connection(2))]),
            (.openFailed(connection(2), unreachable), []),
            (.abandoned(connection(1)), [.cancel(connection(1)), .open(connection(3))]),
        )
    }

    @Test("reports connections that broke as lost, and replaces them only for waiting callers")
    func losing() {
        check(
            "an idle and a leased one",
            limits(connections: 1),
            (.lease(caller(1)), [.open(connection(1))]),
            (.opened(connection(1), now: at(0)), [.grant(connection(1), to: caller(1))]),
            (.released(connection(1), now: at(0)), []),
            (.ended(connection(1)), [.reportEnded(isLost: true)]),
            (.ended(connection(1)), []),
            (.lease(caller(2)), [.open(connection(2))]),
            (.opened(connection(2), now: at(0)), [.grant(connection(2), to: caller(2))]),
            (.lease(caller(3)), []),
            (.ended(connection(2)), [.reportEnded(isLost: true), .open(connection(3))]),
            (.released(connection(2), now: at(1)), []),
        )
    }

    /// Leaves connections 1 and 2 idle, since 0 and 5 seconds.
    private let twoIdle: [Step] = [
        (.lease(caller(1)), [.open(connection(1))]),
        (.lease(caller(2)), [.open(connection(2))]),
        (.opened(connection(1), now: at(0)), [.grant(connection(1), to: caller(1))]),
        (.opened(connection(2), now: at(0)), [.grant(connection(2), to: caller(2))]),
        (.released(connection(1), now: at(0)), []),
        (.released(connection(2), now: at(5)), []),
    ]

    private func check(_ name: String, after setup: [Step], _ steps: Step...) {
        var state = PoolState(limits())
        for (number, step) in (setup + steps).enumerated() {
            #expect(state.handle(step.0) == step.1, "\(name), step \(number + 1)")
        }
    }

    @Test("probes idle connections, and closes all but the most recently used")
    func sweeping() {
        check(
            "healthy probes keep the age",
            after: twoIdle,
            (.sweep(now: at(9)), []),
            (.sweep(now: at(10)), [.probe(connection(1))]),
            (.sweep(now: at(11)), []),
            (.probed(connection(1), .healthy, now: at(11)), []),
            (.sweep(now: at(20)), [.probe(connection(1)), .probe(connection(2))]),
            (.probed(connection(2), .healthy, now: at(20)), []),
            (.probed(connection(1), .healthy, now: at(20)), []),
            (.sweep(now: at(70)), [.close(connection(1)), .probe(connection(2))]),
            (.ended(connection(1)), [.reportEnded(isLost: false)]),
        )
        check(
            "a caller during a probe",
            after: twoIdle,
            (.sweep(now: at(20)), [.probe(connection(1)), .probe(connection(2))]),
            (.lease(caller(3)), []),
            (.probed(connection(1), .healthy, now: at(20)), [.grant(connection(1), to: caller(3))]),
            (.probed(connection(2), .refused, now: at(20)), []),
            (.sweep(now: at(25)), []),
        )
        check(
            "probes without a reply, and on a broken connection",
            after: twoIdle,
            (.sweep(now: at(20)), [.probe(connection(1)), .probe(connection(2))]),
            (.probed(connection(1), .busy, now: at(22)), [.close(connection(1))]),
            (.ended(connection(1)), [.reportEnded(isLost: true)]),
            (.ended(connection(2)), [.reportEnded(isLost: true)]),
            (.probed(connection(2), .refused, now: at(22)), []),
        )
    }

    @Test("closes everything, also what opens later")
    func closing() {
        check(
            "",
            limits(connections: 3),
            (.lease(caller(1)), [.open(connection(1))]),
            (.opened(connection(1), now: at(0)), [.grant(connection(1), to: caller(1))]),
            (.lease(caller(2)), [.open(connection(2))]),
            (.opened(connection(2), now: at(0)), [.grant(connection(2), to: caller(2))]),
            (.released(connection(2), now: at(0)), []),
            (.lease(caller(3)), [.grant(connection(2), to: caller(3))]),
            (.released(connection(1), now: at(0)), []),
            (.abandoned(connection(2)), [.cancel(connection(2))]),
            (.lease(caller(4)), [.grant(connection(1), to: caller(4))]),
            (.lease(caller(5)), [.open(connection(3))]),
            (.close, [.fail(caller(5), .closed), .close(connection(1))]),
            (.close, []),
            (.lease(caller(6)), [.fail(caller(6), .closed)]),
            (.opened(connection(3), now: at(1)), [.close(connection(3))]),
            (.ended(connection(1)), [.reportEnded(isLost: false)]),
            (.released(connection(1), now: at(1)), []),
            (.ended(connection(2)), [.reportEnded(isLost: false)]),
            (.ended(connection(3)), [.reportEnded(isLost: false)]),
            (.sweep(now: at(99)), []),
        )
    }

    @Test("keeps its invariants in random sequences of events", arguments: 1...30)
    func random(seed: UInt64) {
        var world = PoolWorld(seed: seed)
        for _ in 0..<3000 { world.step() }
        world.settle()
    }
}

/// Servers and callers around a state, which do at random what they may.
private struct PoolWorld {
    private enum Phase {
        case opening
        case idle
        case leased(PoolState.CallerID)
        case probing
        case ending
    }

    private let limits: PoolState.Limits
    private var state: PoolState
    private var random: SeededRandom
    private var now = start
    private var connections: [PoolState.ConnectionID: Phase] = [:]
    private var waiting: [PoolState.CallerID] = []
    private var callers = 0
    private var isClosed = false

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        limits = .init(
            connectionsMax: Int.random(in: 1...4, using: &random),
            callersMax: Int.random(in: 1...6, using: &random),
            probeAfter: .seconds(10),
            closeAfter: .seconds(30),
        )
        state = PoolState(limits)
    }

    mutating func step() {
        now += .milliseconds(Int.random(in: 0...3000, using: &random))
        switch Int.random(in: 0..<16, using: &random) {
        case 0...4: lease()
        case 5: if let caller = waiting.randomElement(using: &random) { leave(caller) }
        case 6: apply(.sweep(now: now))
        case 7: if Int.random(in: 0..<4, using: &random) == 0 { endOne() }
        case _: advanceOne()
        }
        check()
    }

    /// Completes everything in progress: no caller waits then.
    mutating func settle() {
        while advanceOne() { check() }
        #expect(waiting.isEmpty, "callers wait for ever")
        isClosed = true
        apply(.close)
        lease()
        while advanceOne() {}
        #expect(waiting.isEmpty && connections.isEmpty && state.connectionCount == 0)
    }

    private mutating func lease() {
        callers += 1
        let caller = PoolState.CallerID(number: callers)
        waiting.append(caller)
        apply(.lease(caller))
    }

    private mutating func leave(_ caller: PoolState.CallerID) {
        if Bool.random(using: &random) {
            apply(.deadlinePassed(caller))
            #expect(!waiting.contains(caller))
        } else {
            waiting.removeAll { $0 == caller }
            apply(.cancelled(caller))
        }
    }

    /// A connection breaks.
    private mutating func endOne() {
        let open = connections.filter { if case .opening = $0.value { false } else { true } }
        if let id = ordered(open).randomElement(using: &random) { end(id) }
    }

    private mutating func end(_ id: PoolState.ConnectionID) {
        connections[id] = nil
        apply(.ended(id))
    }

    /// Completes one operation in progress of a connection; false without any.
    @discardableResult
    private mutating func advanceOne() -> Bool {
        let busy = connections.filter { if case .idle = $0.value { false } else { true } }
        guard let id = ordered(busy).randomElement(using: &random), let phase = connections[id] else { return false }
        switch phase {
        case .idle: break
        case .opening: open(id)
        case .leased:
            if Int.random(in: 0..<4, using: &random) == 0 {
                connections[id] = .ending
                apply(.abandoned(id))
            } else {
                connections[id] = .idle
                apply(.released(id, now: now))
            }
        case .probing: probe(id)
        case .ending: end(id)
        }
        return true
    }

    private mutating func open(_ id: PoolState.ConnectionID) {
        if Int.random(in: 0..<3, using: &random) == 0 {
            connections[id] = nil
            apply(.openFailed(id, .unreachable(reason: "refused")))
        } else {
            connections[id] = .idle
            apply(.opened(id, now: now))
        }
    }

    private mutating func probe(_ id: PoolState.ConnectionID) {
        switch Int.random(in: 0..<3, using: &random) {
        case 0: apply(.probed(id, .busy, now: now))
        case 1:
            connections[id] = .idle
            apply(.probed(id, .refused, now: now))
        case _:
            connections[id] = .idle
            apply(.probed(id, .healthy, now: now))
        }
    }

    private mutating func apply(_ event: PoolState.Event) {
        for action in state.handle(event) {
            switch action {
            case .open(let id):
                #expect(connections[id] == nil)
                connections[id] = .opening
            case .grant(let id, let caller):
                guard case .idle = connections[id] else {
                    Issue.record("granted a connection that is not idle")
                    continue
                }
                #expect(waiting.first == caller, "the longest waiting caller is served first")
                waiting.removeAll { $0 == caller }
                connections[id] = .leased(caller)
            case .fail(let caller, _):
                #expect(waiting.contains(caller), "a caller that does not wait failed")
                waiting.removeAll { $0 == caller }
            case .probe(let id): connections[id] = .probing
            case .cancel(let id), .close(let id): connections[id] = .ending
            case .reportEnded: break
            }
        }
    }

    private func check() {
        var (opening, idle, inUse) = (0, 0, 0)
        for phase in connections.values {
            switch phase {
            case .opening: opening += 1
            case .idle: idle += 1
            case .leased, .probing: inUse += 1
            case .ending: break
            }
        }
        #expect(state.connectionCount == connections.count && connections.count <= limits.connectionsMax)
        #expect(state.openingCount == opening && state.idleCount == idle && state.inUseCount == inUse)
        #expect(state.waitingCount == waiting.count && waiting.count <= limits.callersMax)
        #expect(waiting.isEmpty || idle == 0, "a caller waits while a connection is idle")
        #expect(
            waiting.isEmpty || opening + inUse > 0 || connections.count == limits.connectionsMax,
            "a caller waits for nothing",
        )
    }

    private func ordered(_ connections: [PoolState.ConnectionID: Phase]) -> [PoolState.ConnectionID] {
        connections.keys.sorted { $0.number < $1.number }
    }
}
