import Telemetry
import TestSupport
import Testing

@testable import Lifecycle

@Suite("The service group", .tags(.unit), .timeLimit(.minutes(1)))
struct ServiceGroupTests {
    private let journal = Journal()

    private func probe(_ name: String, _ manner: ProbeService.Manner = .good) -> ProbeService {
        ProbeService(name: name, journal: journal, manner: manner)
    }

    /// Starts a group, waits until `condition` holds, then requests the stop; returns the group's result.
    private func run(
        _ services: [any Service],
        stopWhen condition: (Journal) -> Bool
    ) async throws -> Result<Void, any Error> {
        let group = ServiceGroup(services, logger: .disabled)
        let journal = journal
        let task = Task { try await group.run(signals: []) { journal.note("stop") } }
        #expect(try await eventually(within: .seconds(30)) { condition(journal) })
        group.stop()
        return await task.result
    }

    @Test("services start in order, drain in reverse order, then close in reverse order")
    func order() async throws {
        try await run([probe("a"), probe("b"), probe("c")], stopWhen: { $0.isReady("c") }).get()
        #expect(
            journal.entries == [
                "a runs", "b runs", "c runs", "stop", "c drains", "c drained", "b drains", "b drained", "a drains",
                "a drained", "c closed", "b closed", "a closed",
            ]
        )
    }

    @Test("a service starts only when the one before it is ready")
    func ready() async throws {
        try await run([probe("a", .neverReady), probe("b")], stopWhen: { $0.contains("a runs") }).get()
        #expect(journal.entries == ["a runs", "stop", "a closed"])
    }

    @Test("a service that is not ready in time stops the group")
    func startLimit() async {
        var slow = probe("b", .neverReady)
        slow.limits.start = .milliseconds(30)
        let group = ServiceGroup([probe("a"), slow, probe("c")], logger: .disabled)
        await #expect(throws: ServiceGroupError.startLimitReached(service: "b")) { try await group.run(signals: []) }
        #expect(journal.entries == ["a runs", "b runs", "a drains", "a drained", "b closed", "a closed"])
    }

    @Test("a service that fails at its start stops those before it, and its error is the group's")
    func failsAtStart() async {
        let group = ServiceGroup([probe("a"), probe("b", .failsAtStart), probe("c")], logger: .disabled)
        await #expect(throws: Breakdown(service: "b")) { try await group.run(signals: []) }
        #expect(journal.entries == ["a runs", "b runs", "a drains", "a drained", "a closed"])
    }

    @Test("a service that fails later stops the group with its error")
    func failsLater() async throws {
        let gate = Gate()
        let journal = journal
        let group = ServiceGroup([probe("a"), probe("b", .failsAt(gate)), probe("c")], logger: .disabled)
        let task = Task { try await group.run(signals: []) }
        #expect(try await eventually(within: .seconds(30)) { journal.isReady("c") })
        gate.open()
        await #expect(throws: Breakdown(service: "b")) { try await task.value }
        #expect(
            journal.entries.suffix(6) == ["c drains", "c drained", "a drains", "a drained", "c closed", "a closed"]
        )
    }

    @Test("a service that returns unasked stops the group as a failure")
    func returnsEarly() async throws {
        let gate = Gate()
        gate.open()
        let group = ServiceGroup([probe("a", .returnsAt(gate))], logger: .disabled)
        await #expect(throws: ServiceGroupError.endedEarly(service: "a")) { try await group.run(signals: []) }
    }

    @Test("a service that does not drain in time is closed all the same, which is no failure")
    func drainLimit() async throws {
        let gate = Gate()
        var slow = probe("b", .drainsUntil(gate))
        slow.limits.drain = .milliseconds(30)
        try await run([probe("a"), slow], stopWhen: { $0.isReady("b") }).get()
        #expect(
            journal.entries == [
                "a runs", "b runs", "stop", "b drains", "a drains", "a drained", "b closed", "a closed",
            ]
        )
        gate.open()
    }

    @Test("a service that ends while it is drained is done")
    func endsByDraining() async throws {
        try await run([probe("a"), probe("b", .endsByDraining(Gate()))], stopWhen: { $0.isReady("b") }).get()
        #expect(journal.contains("a closed"))
    }

    @Test("a service that does not close in time is abandoned and named, the others still close")
    func closeLimit() async throws {
        let gate = Gate()
        var stuck = probe("b", .closesAt(gate))
        stuck.limits.close = .milliseconds(30)
        let result = try await run([probe("a"), stuck, probe("c")], stopWhen: { $0.isReady("c") })
        #expect(throws: ServiceGroupError.abandoned(services: ["b"])) { try result.get() }
        #expect(journal.entries.suffix(2) == ["c closed", "a closed"])
        gate.open()
    }

    @Test("an error while closing is the group's, and the others still close")
    func failsClosing() async throws {
        let result = try await run([probe("a"), probe("b", .failsClosing)], stopWhen: { $0.isReady("b") })
        #expect(throws: Breakdown(service: "b")) { try result.get() }
        #expect(journal.contains("a closed"))
    }

    @Test("cancelling the caller is an orderly stop")
    func cancelled() async throws {
        let journal = journal
        let group = ServiceGroup([probe("a")], logger: .disabled)
        let task = Task { try await group.run(signals: []) }
        #expect(try await eventually(within: .seconds(30)) { journal.isReady("a") })
        task.cancel()
        try await task.value
        #expect(journal.entries == ["a runs", "a drains", "a drained", "a closed"])
    }

    @Test("a stop before the run starts nothing")
    func stoppedBefore() async throws {
        let group = ServiceGroup([probe("a")], logger: .disabled)
        group.stop()
        try await group.run(signals: [])
        #expect(journal.entries == [])
    }
}
