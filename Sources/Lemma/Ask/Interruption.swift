internal import Console
internal import Glibc
internal import Lifecycle
internal import Synchronization

/// What `Ctrl-C` does: the first one cancels what runs, the second one ends the process at once.
final class Interruption: Sendable {
    private let state = Mutex(State())

    private struct State {
        var isRaised = false
        var onRaise: (@Sendable () -> Void)?
    }

    /// True after the first one.
    var isRaised: Bool { state.withLock(\.isRaised) }

    /// Watches until the returned watcher is cancelled.
    func watch() -> SignalWatcher {
        SignalWatcher([.interrupt]) { _ in
            let (isFirst, action) = self.state.withLock { state in
                defer { state.isRaised = true }
                return (!state.isRaised, state.onRaise)
            }
            guard isFirst else { _exit(ExitCode.interrupted.rawValue) }
            action?()
        }
    }

    /// Sets what the first one does; it is done at once when that has come already.
    func onRaise(_ action: @escaping @Sendable () -> Void) {
        let isRaised = state.withLock { state in
            state.onRaise = action
            return state.isRaised
        }
        if isRaised { action() }
    }
}
