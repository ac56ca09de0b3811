import EventLoop
import Glibc
import TestSupport
import Testing

@Suite("Tasks on a loop", .tags(.unit))
struct ThreadTests {
    @Test("A task stays on its loop's thread over awaits, continuations, sleeps and calls")
    func staysOnThread() async throws {
        try await onLoop { loop in
            let home = thread()
            #expect(loop.isCurrent)
            await Task.yield()
            #expect(thread() == home, "after a yield")
            try await loop.sleep(for: .milliseconds(1))
            #expect(thread() == home, "after the loop's sleep")
            try await Task.sleep(for: .milliseconds(1))
            #expect(thread() == home, "after the clock's sleep")
            #expect(await callee() == home, "in a function it calls")
            #expect(await concurrentCallee() == home, "in a concurrent function")
            #expect(await Elsewhere().thread() == home, "in an actor without an executor of its own")
            #expect(await MainThing.thread() != home, "on the main actor")
            #expect(thread() == home, "after a call of another actor")
            unsafe await withUnsafeContinuation { continuation in Task.detached { unsafe continuation.resume() } }
            #expect(thread() == home, "after a continuation that another thread resumed")
            async let child = callee()
            #expect(await child == home, "in a child task")
            let inGroup = await withTaskGroup { group in
                for _ in 0..<3 { group.addTask { await callee() } }
                return await group.reduce(into: Set<UInt>()) { $0.insert($1) }
            }
            #expect(inGroup == [home], "in the tasks of a group")
        }
    }

    @Test("A task that a callback spawns begins in the same turn and stays on the thread too")
    func spawned() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(.packets, on: loop)
            let spawner = Spawner()
            loop.schedule(after: .zero) { spawner.spawn(on: loop, stream) }
            #expect(try await peer.nextRead(on: loop) == .bytes(Array("caller task".utf8)))
            try await eventually("the task ends", on: loop) { spawner.threads.count == 2 }
            #expect(spawner.threads == [thread(), thread()])
        }
    }

    /// Spawns as the owners of connections do: from plain code that is isolated to nothing.
    private final class Spawner {
        var threads: [UInt] = []

        func spawn(on loop: Loop, _ stream: ByteStream) {
            stream.write("caller ")
            loop.spawn { [self] in
                stream.write("task")
                threads.append(thread())
                await Task.yield()
                threads.append(thread())
            }
        }
    }

    @Test("Each loop of a group has a thread of its own, and the group returns its loops in turn")
    func group() async throws {
        let group = LoopGroup(count: 3)
        defer { group.stop() }
        var threads: Set<UInt> = []
        for loop in group.loops { threads.insert(try await loop.run { _ in thread() }) }
        #expect(threads.count == 3 && !threads.contains(thread()))
        #expect((0..<6).map { _ in group.nextLoop().index } == [0, 1, 2, 0, 1, 2])
    }

    @Test("Running something on a loop returns its result and throws its error")
    func run() async throws {
        #expect(try await onLoop { _ in 42 } == 42)
        await #expect(throws: NeverHappened.self) { try await onLoop { _ in throw NeverHappened(what: "this") } }
    }

    @Test("A loop can run something on another loop and on itself")
    func runFromLoop() async throws {
        let group = LoopGroup(count: 2)
        defer { group.stop() }
        let (one, two) = (group.loops[0], group.loops[1])
        let isRight = try await one.run { _ in
            let there = try await two.run { loop in loop.isCurrent && !one.isCurrent }
            let here = try await one.run { loop in loop.isCurrent }
            return there && here && one.isCurrent
        }
        #expect(isRight)
    }

    @Test("Cancelling the caller of work on a loop cancels the work")
    func cancelledRun() async throws {
        let group = LoopGroup(count: 1)
        defer { group.stop() }
        let loop = group.loops[0]
        let isStarted = Shared(false)
        try await withThrowingTaskGroup { tasks in
            tasks.addTask {
                try await loop.run { loop in
                    isStarted.change { $0 = true }
                    try await loop.sleep(for: .seconds(60))
                }
            }
            let hasBegun = try await eventually(within: .seconds(60)) { isStarted.value }
            #expect(hasBegun)
            tasks.cancelAll()
            await #expect(throws: CancellationError.self) { try await tasks.waitForAll() }
        }
    }

    @Test("The work of one caller runs in order, and no work of many callers is lost")
    func execution() async throws {
        let group = LoopGroup(count: 1)
        defer { group.stop() }
        let loop = group.loops[0]
        let log = LoopBound(Log(), of: loop)
        let (callers, calls) = (8, 2000)
        try await withThrowingTaskGroup { tasks in
            for caller in 0..<callers {
                tasks.addTask {
                    try await onThread {
                        for call in 0..<calls {
                            let isAccepted = loop.execute { log.onLoop.note(caller, call) }
                            if !isAccepted { throw NeverHappened(what: "the loop takes work") }
                        }
                    }
                }
            }
            try await tasks.waitForAll()
        }
        let noted = try await loop.run { _ in log.onLoop.calls }
        for caller in 0..<callers { #expect(noted[caller] == Array(0..<calls)) }
    }

    /// The calls of each caller.
    private final class Log {
        var calls: [Int: [Int]] = [:]
        func note(_ caller: Int, _ call: Int) { calls[caller, default: []].append(call) }
    }
}

@MainActor private enum MainThing {
    static func thread() -> UInt { EventLoopTests.thread() }
}

private actor Elsewhere {
    func thread() -> UInt { EventLoopTests.thread() }
}

private func callee() async -> UInt {
    await Task.yield()
    return thread()
}

@concurrent private func concurrentCallee() async -> UInt { thread() }

private func thread() -> UInt { UInt(pthread_self()) }
