import TestSupport
import Testing

@testable import HTTPServer

@Suite("HTTP connection: stalled output", .tags(.unit))
struct StallWatchTests {
    @Test("The time counts from the last progress, and only while something waits")
    func time() {
        var watch = StallWatch()
        // Loop time, bytes that wait, bytes acknowledged, and the time without progress.
        for (now, pending, acknowledged, stalled): (Int64, Int, UInt64, Int64) in [
            (0, 0, 0, 0), (10, 500, 0, 0), (20, 500, 0, 10), (30, 400, 100, 0), (45, 300, 100, 15), (60, 300, 100, 30),
            (70, 0, 400, 0), (80, 100, 400, 0), (85, 100, 400, 5),
        ] {
            let measured = watch.stalledMilliseconds(
                at: now,
                pendingBytes: pending,
                acknowledgedBytes: acknowledged,
            )
            #expect(measured == stalled, "at \(now)")
        }
    }

    @Test("Without output the kernel is not asked")
    func noSystemCall() {
        var watch = StallWatch()
        var asked = 0
        func acknowledged() -> UInt64 {
            asked += 1
            return 0
        }
        _ = watch.stalledMilliseconds(at: 0, pendingBytes: 0, acknowledgedBytes: acknowledged())
        #expect(asked == 0)
        _ = watch.stalledMilliseconds(at: 0, pendingBytes: 1, acknowledgedBytes: acknowledged())
        #expect(asked == 1)
    }
}
