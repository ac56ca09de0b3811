import Glibc
import Telemetry
import TestSupport
import Testing

@testable import Lifecycle

/// Signals hit a whole process, so each test has one of its own.
@Suite("Signals", .tags(.integration), .timeLimit(.minutes(1)))
struct SignalTests {
    @Test("one signal stops in order and lets the process end by itself")
    func once() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let journal = Journal()
            let service = ProbeService(name: "a", journal: journal)
            let group = ServiceGroup([service], logger: .disabled)
            let task = Task { try await group.run() }
            _ = try await eventually(within: .seconds(30)) { journal.isReady("a") }
            kill(getpid(), SIGTERM)
            try await task.value
            exit(journal.entries == ["a runs", "a drains", "a drained", "a closed"] ? 7 : 1)
        }
    }

    @Test("a second signal ends the process at once", arguments: [SIGTERM, SIGINT])
    func twice(second: Int32) async {
        await #expect(processExitsWith: .exitCode(128 + second)) { [second] in
            let journal = Journal()
            let service = ProbeService(name: "a", journal: journal, manner: .drainsUntil(Gate()))
            let group = ServiceGroup([service], logger: .disabled)
            let task = Task { try await group.run() }
            _ = try await eventually(within: .seconds(30)) { journal.isReady("a") }
            kill(getpid(), SIGINT)
            _ = try await eventually(within: .seconds(30)) { journal.contains("a drains") }
            kill(getpid(), second)
            try await task.value
        }
    }

    @Test("a signal after a failure or a stop() does not cut the orderly stop short")
    func afterStop() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let journal = Journal()
            let gate = Gate()
            let service = ProbeService(name: "a", journal: journal, manner: .drainsUntil(gate))
            let group = ServiceGroup([service], logger: .disabled)
            let task = Task { try await group.run() }
            _ = try await eventually(within: .seconds(30)) { journal.isReady("a") }
            group.stop()
            _ = try await eventually(within: .seconds(30)) { journal.contains("a drains") }
            // To this thread, so that it has arrived before the group ends and gives the signal its default action.
            raise(SIGTERM)
            gate.open()
            try await task.value
            exit(journal.contains("a closed") ? 7 : 1)
        }
    }

    @Test("SIGUSR1 reaches its handler while it is watched, and never ends the process")
    func user() async {
        await #expect(processExitsWith: .exitCode(7)) {
            SignalWatcher.ignoreUserSignal()
            raise(SIGUSR1)
            let journal = Journal()
            let service = ProbeService(name: "a", journal: journal)
            let group = ServiceGroup([service], logger: .disabled)
            let task = Task { try await group.run(onUserSignal: { journal.note("user") }) }
            _ = try await eventually(within: .seconds(30)) { journal.isReady("a") }
            kill(getpid(), SIGUSR1)
            _ = try await eventually(within: .seconds(30)) { journal.contains("user") }
            kill(getpid(), SIGTERM)
            try await task.value
            raise(SIGUSR1)
            exit(journal.entries == ["a runs", "user", "a drains", "a drained", "a closed"] ? 7 : 1)
        }
    }

    @Test("SIGHUP reads again what was added, in order, and ends the process only where it is not watched")
    func hangUp() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let journal = Journal()
            let reloads = Reloads()
            reloads.add { journal.note("one") }
            reloads.add { journal.note("two") }
            let service = ProbeService(name: "a", journal: journal)
            let group = ServiceGroup([service], logger: .disabled)
            let task = Task { try await group.run(onHangUp: { reloads.run() }) }
            _ = try await eventually(within: .seconds(30)) { journal.isReady("a") }
            kill(getpid(), SIGHUP)
            _ = try await eventually(within: .seconds(30)) { journal.contains("two") }
            kill(getpid(), SIGTERM)
            try await task.value
            raise(SIGHUP)
            exit(journal.entries == ["a runs", "one", "two", "a drains", "a drained", "a closed"] ? 7 : 1)
        }
        await #expect(processExitsWith: .signal(SIGHUP)) {
            let journal = Journal()
            let group = ServiceGroup([ProbeService(name: "a", journal: journal)], logger: .disabled)
            let task = Task { try await group.run() }
            _ = try await eventually(within: .seconds(30)) { journal.isReady("a") }
            kill(getpid(), SIGHUP)
            try await task.value
        }
    }

    @Test("a watcher passes on each signal, and a cancelled one restores the default actions")
    func watcher() async {
        await #expect(processExitsWith: .signal(SIGTERM)) {
            let journal = Journal()
            let first = SignalWatcher { journal.note($0.name) }
            for signal in [SIGTERM, SIGINT, SIGTERM] {
                let before = journal.entries.count
                kill(getpid(), signal)
                _ = try await eventually(within: .seconds(30)) { journal.entries.count > before }
            }
            first.cancel()
            first.cancel()
            let second = SignalWatcher([.interrupt]) { journal.note($0.name) }
            second.cancel()
            guard journal.entries == ["SIGTERM", "SIGINT", "SIGTERM"] else { exit(1) }
            kill(getpid(), SIGTERM)
        }
    }
}
