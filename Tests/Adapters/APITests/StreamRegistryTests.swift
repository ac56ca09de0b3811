import Application
import EventLoop
import HTTPServer
import Instrumentation
import Shared
import Telemetry
import TestSupport
import Testing

@testable import API

@Suite("The registry of live viewers", .tags(.unit))
struct StreamRegistryTests {
    /// A viewer of no particular transport.
    private final class Viewer: LiveViewer {
        var access = CallerAccess()
        var lastWrite: Int64 = 0
        var pendingBytes = 0
        var heartbeats = 0
        var silenceLimits: [Int64] = []
        var drains = 0
        var withdrawals = 0

        func sendHeartbeat() { heartbeats += 1 }
        func closeIfVanished(after silenceMax: Int64) { silenceLimits.append(silenceMax) }
        func endForDrain() { drains += 1 }
        func endForWithdrawal() { withdrawals += 1 }
    }

    private final class Waiter: RequestEndWaiter {
        let isOver: OneShot<Bool>
        private(set) var isWaiting = false
        init(_ loop: Loop) { isOver = OneShot(loop: loop) }
        func wait(within limit: Duration) async -> Bool {
            isWaiting = true
            return (try? await isOver.value()) ?? false
        }
        func cancel() { isOver.succeed(false) }
    }

    private func withRegistry(
        heartbeat: Duration,
        _ body: @escaping @Sendable (StreamRegistry, LemmaMetrics, Loop) async throws -> Void
    ) async throws {
        try await onLoop { loop in
            let metrics = LemmaMetrics(MetricsRegistry())
            let registry = StreamRegistry(
                loop: loop,
                heartbeat: heartbeat,
                bufferBytesMax: 1000,
                metrics: metrics.streams,
                withdrawn: WithdrawnAccess(),
            )
            defer { registry.close() }
            try await body(registry, metrics, loop)
        }
    }

    @Test(
        "a silent viewer gets heartbeats, one that was just written to does not; both are asked whether they vanished"
    )
    func heartbeats() async throws {
        try await withRegistry(heartbeat: .milliseconds(40)) { registry, metrics, loop in
            let (silent, busy) = (Viewer(), Viewer())
            silent.lastWrite = loop.nowMilliseconds - 1000
            silent.pendingBytes = 30
            busy.lastWrite = .max
            busy.pendingBytes = 12
            registry.add(silent)
            registry.add(busy)
            try await eventually("a heartbeat", on: loop) { silent.heartbeats > 0 }
            #expect(busy.heartbeats == 0)
            try await eventually("the question", on: loop) { !busy.silenceLimits.isEmpty }
            #expect(silent.silenceLimits.first == 120, "three heartbeats")
            #expect(metrics.streams.bufferedBytes.value == 42)
        }
    }

    @Test("a drain ends viewers and waiting requests, and those that begin later at once")
    func drain() async throws {
        try await withRegistry(heartbeat: .seconds(15)) { registry, metrics, loop in
            let (viewer, waiter) = (Viewer(), Waiter(loop))
            registry.add(viewer)
            let result = OneShot<Bool>(loop: loop)
            loop.spawn {
                let hasEnded = try? await registry.wait(for: waiter, of: CallerAccess(), within: .seconds(60))
                result.succeed(hasEnded ?? true)
            }
            try await eventually("the wait", on: loop) { waiter.isWaiting }
            #expect(metrics.streams.active.value == 1)
            registry.endAll()
            #expect(viewer.drains == 1 && registry.isEnding)
            #expect(try await result.value() == false)
            registry.remove(viewer)
            registry.remove(viewer)
            #expect(metrics.streams.active.value == 0)
            let late = Waiter(loop)
            let hasEnded = try await registry.wait(for: late, of: CallerAccess(), within: .seconds(60))
            #expect(!hasEnded && !late.isWaiting)
        }
    }

    @Test("a withdrawal ends the streams and waits of its account or key, and those that begin just then")
    func withdrawal() async throws {
        try await withRegistry(heartbeat: .milliseconds(40)) { registry, _, loop in
            let (ada, bob) = (AccountID(bits: UUIDBits(high: 1, low: 1)), AccountID(bits: UUIDBits(high: 1, low: 2)))
            let key = APIKeyID(bits: UUIDBits(high: 2, low: 1))
            func viewer(_ account: AccountID, _ key: APIKeyID? = nil) -> Viewer {
                let viewer = Viewer()
                viewer.access = CallerAccess(account: account, key: key)
                viewer.lastWrite = .max
                registry.add(viewer)
                return viewer
            }
            let (mine, theirs, server) = (viewer(ada), viewer(bob), viewer(bob, key))
            let waiter = Waiter(loop)
            let answer = OneShot<Int>(loop: loop)
            loop.spawn {
                do throws(APIProblem) {
                    _ = try await registry.wait(for: waiter, of: CallerAccess(account: ada), within: .seconds(60))
                    answer.succeed(200)
                } catch {
                    answer.succeed(error.response(path: nil, requestID: nil).status)
                }
            }
            try await eventually("the wait", on: loop) { waiter.isWaiting }
            registry.withdrawn.withdraw(accounts: [ada], keys: [])
            try await eventually("the end of the stream", on: loop) { mine.withdrawals > 0 }
            // As a viewer does when its response is complete.
            registry.remove(mine)
            #expect(try await answer.value() == 401)
            #expect(theirs.withdrawals == 0 && server.withdrawals == 0)
            registry.withdrawn.withdraw(accounts: [], keys: [key])
            try await eventually("the end of the server's stream", on: loop) { server.withdrawals > 0 }
            #expect(mine.withdrawals == 1 && theirs.withdrawals == 0)
            let late = viewer(ada)
            try await eventually("the end of the late one", on: loop) { late.withdrawals > 0 }
            registry.withdrawn.restore([ada])
            let again = viewer(ada)
            try await turn(loop)
            #expect(again.withdrawals == 0)
        }
    }
}
