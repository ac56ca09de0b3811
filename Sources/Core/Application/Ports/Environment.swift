package import Shared

/// Time that only goes forward, and waiting for it.
package protocol MonotonicClock {
    /// Time since some fixed moment.
    var now: Duration { get }
    /// Suspends for `delay`; ends at once with an error when the task is cancelled.
    func sleep(for delay: Duration) async throws(CancellationError)
}

/// Starts tasks that stay on the caller's own thread, so that they may share its objects.
package protocol LocalTasks {
    /// Starts `operation` at once. The caller keeps the task, to cancel or to await it.
    func start(_ operation: @escaping () async -> Void) -> Task<Void, Never>
}

/// Makes the identifiers of new things.
package struct IdentifierFactory: Sendable {
    private let clock: any WallClock
    private let random: any RandomSource

    package init(clock: any WallClock, random: any RandomSource) {
        self.clock = clock
        self.random = random
    }

    /// A version 7 UUID: sortable by the time it was made.
    package func make<Identifier: UUIDIdentifier>(_: Identifier.Type = Identifier.self) -> Identifier {
        Identifier(bits: UUIDBits(version7At: clock.now(), random: (random.next(), random.next())))
    }
}
