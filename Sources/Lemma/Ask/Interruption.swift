internal import Console
internal import Glibc
internal import Lifecycle
internal import Synchronization

/// What `Ctrl-C`, SIGTERM, SIGHUP and SIGQUIT do.
///
/// The first one cancels what runs, the second one ends the process at once.
final class Interruption: Sendable {
    private let state = Mutex(State())

    private struct State {
        var first: StopSignal?
        var onRaise: (@Sendable () -> Void)?
    }

    /// The exit status of the process after the first signal, as a shell reports it.
    var exitCode: ExitCode { state.withLock { $0.first }.map { .signal($0) } ?? .interrupted }

    /// Watches until the returned watcher is cancelled.
    func watch() -> SignalWatcher {
        SignalWatcher(StopSignal.allCases) { signal in
            let (isFirst, action) = self.state.withLock { state in
                defer { state.first = state.first ?? signal }
                return (state.first == nil, state.onRaise)
            }
            guard isFirst else { _exit(ExitCode.signal(signal).rawValue) }
            action?()
        }
    }

    /// Sets what the first one does; it is done at once when that has come already.
    func onRaise(_ action: @escaping @Sendable () -> Void) {
        let isRaised = state.withLock { state in
            state.onRaise = action
            return state.first != nil
        }
        if isRaised { action() }
    }
}

extension ExitCode {
    /// 128 plus the signal's number, as a shell reports it.
    fileprivate static func signal(_ signal: StopSignal) -> ExitCode {
        switch signal {
        case .interrupt: .interrupted
        case .terminate: .terminated
        case .hangUp: .hungUp
        case .quit: .quit
        }
    }
}
