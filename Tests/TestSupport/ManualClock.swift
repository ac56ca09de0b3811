package import EventLoop

/// A clock that a test owns: its time advances by the test's call or, with `isAutomatic`, as soon as a task sleeps.
///
/// Loop-owned.
package final class ManualClock {
    package private(set) var now = Duration.seconds(1000)
    /// Whether a sleep advances the time by its own length.
    package var isAutomatic: Bool
    /// The lengths of all sleeps so far, in order.
    package private(set) var sleeps: [Duration] = []

    private let loop: Loop
    private var sleepers: [(until: Duration, wake: OneShot<Void>)] = []

    package init(loop: Loop, isAutomatic: Bool = false) {
        self.loop = loop
        self.isAutomatic = isAutomatic
    }

    /// How many tasks sleep now.
    package var sleeperCount: Int { sleepers.filter { !$0.wake.isSettled }.count }

    /// Advances the time and wakes the tasks that are due.
    package func advance(by step: Duration) {
        now += step
        let due = sleepers.filter { $0.until <= now }
        sleepers.removeAll { $0.until <= now }
        for sleeper in due { sleeper.wake.succeed(()) }
    }

    package func sleep(for delay: Duration) async throws(CancellationError) {
        if Task.isCancelled { throw CancellationError() }
        sleeps.append(delay)
        let wake = OneShot<Void>(loop: loop)
        if isAutomatic || delay <= .zero {
            now += max(delay, .zero)
            loop.executeSoon { wake.succeed(()) }
        } else {
            sleepers.append((now + delay, wake))
        }
        try await wake.value()
    }
}
