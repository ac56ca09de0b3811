internal import Synchronization

/// What a process reads again from its files when an operator asks for it by SIGHUP.
///
/// Safe from any thread.
package final class Reloads: Sendable {
    private let actions = Mutex<[@Sendable () -> Void]>([])

    package init() {}

    /// `action` may block; it reports its own failures.
    package func add(_ action: @escaping @Sendable () -> Void) { actions.withLock { $0.append(action) } }

    /// Calls every action, in the order in which they were added.
    package func run() {
        for action in actions.withLock({ $0 }) { action() }
    }
}
