internal import Application
internal import Cryptography
package import EventLoop
package import Shared
internal import Telemetry

/// A loop's clock, as the application sees it.
package struct LoopClock: MonotonicClock {
    private let loop: Loop

    package init(loop: Loop) { self.loop = loop }

    package var now: Duration { Self.now }

    /// The same on all loops.
    package static var now: Duration {
        .nanoseconds(MonotonicTime.nanoseconds)
    }

    package func sleep(for delay: Duration) async throws(CancellationError) { try await loop.sleep(for: delay) }
}

/// Starts the application's tasks on a loop.
package struct LoopTasks: LocalTasks {
    private let loop: Loop

    package init(loop: Loop) { self.loop = loop }

    package func start(_ operation: @escaping () async -> Void) -> Task<Void, Never> { loop.spawn(operation) }
}

/// The time of day.
package struct SystemClock: WallClock {
    package init() {}

    package func now() -> Timestamp {
        Timestamp(milliseconds: UnixTime.microseconds / 1000)
    }
}

/// OpenSSL's random numbers.
package struct SecureRandomSource: RandomSource {
    package init() {}

    package func next() -> UInt64 { SecureRandom.bytes(8).reduce(0) { $0 << 8 | UInt64($1) } }
}
