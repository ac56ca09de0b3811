import EventLoop
import Glibc
import Synchronization
import TestSupport
import Testing

/// Holds work on a pool's threads until the test lets it go on.
private final class Gate: Sendable {
    private let isOpen = Atomic<Bool>(false)
    private let entered = Atomic<Int>(0)

    var count: Int { entered.load(ordering: .acquiring) }

    func open() { isOpen.store(true, ordering: .releasing) }

    func pass() {
        entered.add(1, ordering: .acquiringAndReleasing)
        while !isOpen.load(ordering: .acquiring) { sched_yield() }
    }
}

@Suite("A pool of threads for blocking work", .tags(.unit))
struct BlockingPoolTests {
    @Test("work runs beside the loop, and its result returns to the loop of the caller")
    func returns() async throws {
        try await onLoop { loop in
            let pool = BlockingPool(threadsMax: 2, waitingMax: 8)
            let loopThread = UInt(pthread_self())
            for number in 0..<20 {
                let (thread, square) = try await pool.run { (UInt(pthread_self()), number * number) }
                #expect(square == number * number)
                #expect(thread != loopThread && loop.isCurrent)
            }
        }
    }

    @Test("the loop turns while work runs")
    func turns() async throws {
        try await onLoop { loop in
            let pool = BlockingPool(threadsMax: 1, waitingMax: 1)
            let gate = Gate()
            let task = loop.spawn { try? await pool.run { gate.pass() } }
            try await eventually("the work", on: loop) { gate.count == 1 }
            try await turn(loop, times: 20)
            gate.open()
            await task.value
        }
    }

    @Test("no more threads work than allowed, no more work waits than allowed, and the rest is rejected at once")
    func bounds() async throws {
        try await onLoop { loop in
            let pool = BlockingPool(threadsMax: 2, waitingMax: 3)
            let gate = Gate()
            var results: [Bool] = []
            let tasks = (0..<8).map { _ in
                loop.spawn {
                    do throws(BlockingPool.Failure) {
                        try await pool.run { gate.pass() }
                        results.append(true)
                    } catch {
                        results.append(false)
                    }
                }
            }
            try await eventually("the rejections", on: loop) { results.count == 3 && gate.count == 2 }
            #expect(results == [false, false, false])
            gate.open()
            for task in tasks { await task.value }
            #expect(results.filter(\.self).count == 5)
            // The places are free again.
            let value = try await pool.run { 7 }
            #expect(value == 7)
        }
    }

    @Test("the threads have a lower priority than the loop's")
    func priority() async throws {
        try await onLoop { _ in
            let pool = BlockingPool(threadsMax: 1, waitingMax: 1, niceness: 12)
            let field = try await pool.run { Self.niceness() }
            #expect(field == 12)
            #expect(Self.niceness() != 12)
        }
    }

    @Test("the end of a pool waits for nothing and ends its threads")
    func ends() async throws {
        try await onLoop { loop in
            let before = Self.threadCount()
            for _ in 0..<20 {
                let pool = BlockingPool(threadsMax: 4, waitingMax: 4)
                _ = try await pool.run { 1 }
            }
            try await eventually("the end of the threads", on: loop) { Self.threadCount() <= before + 4 }
        }
    }

    /// Field 19 of the thread's statistics, see proc(5); the name in field 2 may have spaces.
    private static func niceness() -> Int? {
        let text = textOfFile("/proc/thread-self/stat")
        let fields = text.split(separator: ")").last?.split(separator: " ")
        return fields.flatMap { $0.count > 16 ? Int($0[16]) : nil }
    }

    private static func threadCount() -> Int {
        let lines = textOfFile("/proc/self/status").split(separator: "\n")
        let line = lines.first { $0.hasPrefix("Threads:") }
        return line.flatMap { $0.split(separator: "\t").last.flatMap { Int($0) } } ?? 0
    }
}

@Suite("Calls that are joined", .tags(.unit))
struct SingleFlightTests {
    @Test("concurrent calls for one thing run once and get the same result; others run beside them")
    func joins() async throws {
        try await onLoop { loop in
            let flights = SingleFlight<String, Int>(on: loop)
            let wait = OneShot<Int>(loop: loop)
            var runs = 0
            var results: [Int?] = []
            let tasks = (0..<3).map { _ in
                loop.spawn {
                    let result = await flights.run("a") {
                        runs += 1
                        return (try? await wait.value()) ?? 0
                    }
                    results.append(result)
                }
            }
            try await turn(loop)
            let other = await flights.run("b") { 5 }
            #expect(runs == 1 && results.isEmpty && other == 5)
            wait.succeed(9)
            for task in tasks { await task.value }
            #expect(results == [9, 9, 9] && runs == 1)
            let next = await flights.run("a") { 10 }
            #expect(next == 10, "a later call runs anew")
        }
    }

    @Test("a caller that is cancelled while it waits gets nothing; the others their result")
    func cancelled() async throws {
        try await onLoop { loop in
            let flights = SingleFlight<String, Int>(on: loop)
            let wait = OneShot<Int>(loop: loop)
            var results: [Int?] = []
            let first = loop.spawn { results.append(await flights.run("a") { (try? await wait.value()) ?? 0 }) }
            let second = loop.spawn { results.append(await flights.run("a") { 0 }) }
            try await turn(loop)
            second.cancel()
            await second.value
            #expect(results == [nil])
            wait.succeed(1)
            await first.value
            #expect(results == [nil, 1])
        }
    }
}
