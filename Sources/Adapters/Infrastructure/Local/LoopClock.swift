internal import Application
package import EventLoop
internal import Time

/// The monotonic clock of the system; suspended tasks stay on their loop.
package struct LoopClock: MonotonicClock {
    private let loop: Loop

    package init(loop: Loop) { self.loop = loop }

    package var now: Duration { Self.now }

    /// The same on all loops.
    package static var now: Duration { .nanoseconds(MonotonicTime.nanoseconds) }

    package func sleep(for delay: Duration) async throws(CancellationError) { try await loop.sleep(for: delay) }
}
