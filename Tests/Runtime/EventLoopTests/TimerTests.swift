import EventLoop
import TestSupport
import Testing

/// Timers of a loop fire in the order of their due times: a later sleep on the same loop ends when an earlier timer that
/// is still set has fired.
@Suite("Timers", .tags(.unit))
struct TimerTests {
    @Test("a loop's idle time grows while it waits, and not while it works")
    func idleTime() async throws {
        let group = LoopGroup(count: 1)
        defer { group.stop() }
        let (waited, worked) = try await group.loops[0].run { loop in
            try await loop.sleep(for: .milliseconds(1))
            let start = loop.idleTime
            try await loop.sleep(for: .milliseconds(50))
            let waited = loop.idleTime - start
            let end = ContinuousClock.now + .milliseconds(50)
            while ContinuousClock.now < end {}
            return (waited, loop.idleTime - start - waited)
        }
        #expect(waited > .milliseconds(25))
        #expect(worked < .milliseconds(25))
    }

    @Test("a delay beyond every clock is a timer that does not fire", arguments: [1 << 40, Int64.max])
    func endless(seconds: Int64) async throws {
        try await onLoop { loop in
            var hasFired = false
            let timer = loop.schedule(after: .seconds(seconds)) { hasFired = true }
            try await loop.sleep(for: .milliseconds(1))
            timer.close()
            #expect(!hasFired)
        }
    }

    @Test("Timers fire once, in the order of their delays, and not early")
    func once() async throws {
        try await onLoop { loop in
            var fired: [Int] = []
            let start = ContinuousClock.now
            for delay in [30, 10, 20] {
                loop.schedule(after: .milliseconds(delay)) {
                    // libuv counts whole milliseconds.
                    #expect(ContinuousClock.now - start > .milliseconds(delay - 2))
                    fired.append(delay)
                }
            }
            try await eventually("all have fired", on: loop) { fired.count >= 3 }
            try await loop.sleep(for: .milliseconds(40))
            #expect(fired == [10, 20, 30])
        }
    }

    @Test("A delay counts from the call, not from the beginning of a long turn")
    func afterLongWork() async throws {
        try await onLoop { loop in
            try await loop.sleep(for: .milliseconds(1))
            let busyUntil = ContinuousClock.now + .milliseconds(60)
            while ContinuousClock.now < busyUntil {}
            let start = ContinuousClock.now
            try await loop.sleep(for: .milliseconds(30))
            #expect(ContinuousClock.now - start > .milliseconds(28))
        }
    }

    @Test("A repeating timer fires until it is closed, also from its own action")
    func every() async throws {
        try await onLoop { loop in
            var count = 0
            var timer: LoopTimer?
            timer = loop.schedule(every: .milliseconds(1)) {
                count += 1
                if count == 5 { timer?.close() }
            }
            try await eventually("it is closed", on: loop) { timer?.isClosed == true }
            try await loop.sleep(for: .milliseconds(10))
            #expect(count == 5)
            timer = nil
        }
    }

    @Test("A closed timer does not fire and releases its action")
    func cancel() async throws {
        try await onLoop { loop in
            var hasFired = false
            weak var captured: Recorder?
            do {
                let object = Recorder()
                captured = object
                let timer = loop.schedule(after: .milliseconds(1)) {
                    object.onEnd()
                    hasFired = true
                }
                timer.close()
                timer.close()
            }
            #expect(captured == nil)
            try await loop.sleep(for: .milliseconds(5))
            #expect(!hasFired)
        }
    }

    @Test("Cancelling a task ends its sleep at once, and a cancelled task does not sleep")
    func cancelledSleep() async throws {
        try await onLoop { loop in
            var outcomes: [Bool] = []
            let task = loop.spawn {
                for _ in 0..<2 {
                    do {
                        try await loop.sleep(for: .seconds(3600))
                        outcomes.append(true)
                    } catch {
                        outcomes.append(false)
                    }
                }
            }
            await Task.yield()
            #expect(outcomes.isEmpty)
            task.cancel()
            await task.value
            #expect(outcomes == [false, false])
        }
    }

    @Test("A sleep may be zero or negative")
    func zero() async throws {
        try await onLoop { loop in
            try await loop.sleep(for: .zero)
            try await loop.sleep(for: .seconds(-5))
        }
    }
}
