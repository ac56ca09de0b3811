import EventLoop
import TestSupport
import Testing

@Suite("A value to wait for", .tags(.unit))
struct OneShotTests {
    @Test("The value may come before the wait")
    func before() async throws {
        try await onLoop { loop in
            let value = OneShot<Int>(loop: loop)
            #expect(!value.isSettled)
            value.succeed(7)
            #expect(value.isSettled)
            let got = try await value.value()
            #expect(got == 7)
        }
    }

    @Test("The value may come after the wait has begun")
    func after() async throws {
        try await onLoop { loop in
            let value = OneShot<Int>(loop: loop)
            loop.schedule(after: .milliseconds(1)) { value.succeed(7) }
            let got = try await value.value()
            #expect(got == 7)
        }
    }

    @Test("Later values are ignored, also before the wait begins")
    func second() async throws {
        try await onLoop { loop in
            let value = OneShot<Int>(loop: loop)
            value.succeed(1)
            value.succeed(2)
            let first = try await value.value()
            #expect(first == 1)
            let again = try await value.value()
            #expect(again == 1)
        }
    }

    @Test("Cancellation ends the wait, and a value that comes later is dropped")
    func cancellation() async throws {
        try await onLoop { loop in
            let value = OneShot<Int>(loop: loop)
            var wasCancelled = false
            let task = loop.spawn {
                do { _ = try await value.value() } catch { wasCancelled = true }
            }
            #expect(!value.isSettled)
            task.cancel()
            await task.value
            #expect(wasCancelled && value.isSettled)
            value.succeed(1)
            await #expect(throws: CancellationError.self) { try await value.value() }
        }
    }

    @Test("Cancelling from another thread ends the wait on the loop")
    func foreignCancellation() async throws {
        try await onLoop { loop in
            let value = OneShot<Int>(loop: loop)
            var wasOnLoop = false
            let task = loop.spawn {
                do { _ = try await value.value() } catch { wasOnLoop = loop.isCurrent }
            }
            try await onThread { task.cancel() }
            await task.value
            #expect(wasOnLoop)
        }
    }

    @Test("A value that is there when the cancellation comes is delivered")
    func valueThenCancellation() async throws {
        try await onLoop { loop in
            let value = OneShot<Int>(loop: loop)
            var got: Int?
            let task = loop.spawn { got = try? await value.value() }
            value.succeed(3)
            task.cancel()
            await task.value
            #expect(got == 3)
        }
    }
}
