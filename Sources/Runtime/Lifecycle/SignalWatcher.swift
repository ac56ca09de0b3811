internal import Glibc
internal import Synchronization

/// A signal that requests the end of the process.
package enum StopSignal: Sendable, CaseIterable {
    /// SIGTERM: from an orchestrator.
    case terminate
    /// SIGINT: from a terminal.
    case interrupt
    /// SIGHUP: the terminal was closed.
    case hangUp
    /// SIGQUIT: from a terminal (`Ctrl-\`).
    case quit

    /// The signals at which a server stops.
    package static let ofServers: [StopSignal] = [.terminate, .interrupt]

    /// The number of the signal.
    package var number: Int32 {
        switch self {
        case .terminate: SIGTERM
        case .interrupt: SIGINT
        case .hangUp: SIGHUP
        case .quit: SIGQUIT
        }
    }

    /// The name of the signal.
    package var name: String {
        switch self {
        case .terminate: "SIGTERM"
        case .interrupt: "SIGINT"
        case .hangUp: "SIGHUP"
        case .quit: "SIGQUIT"
        }
    }
}

/// Calls a handler on a thread of its own for each signal.
///
/// The signal handler only writes the number to a pipe, which the thread reads. A signal may therefore arrive on any
/// thread, and no signal mask is changed that a child process would inherit. At most one watcher exists at a time.
package final class SignalWatcher: Sendable {
    private let signals: [StopSignal]
    private let thread: Mutex<pthread_t?>
    /// Signals with a handler of their own, which request no end.
    private let notices: [Int32]

    /// Ignores SIGUSR1 in the whole process, with or without a watcher; to be called before anything else.
    package static func ignoreUserSignal() { Glibc.signal(SIGUSR1, SIG_IGN) }

    /// Starts to watch; until ``cancel()`` the signals do not end the process.
    ///
    /// `handler` may block, and so may `onUserSignal`, which is called for SIGUSR1, and `onHangUp`, which is called for
    /// SIGHUP instead of `handler`; without one, the disposition of its signal does not change. As a request to end, SIGHUP
    /// stays ignored if it was ignored before (nohup(1)).
    package init(
        _ signals: [StopSignal] = StopSignal.ofServers,
        onUserSignal: (@Sendable () -> Void)? = nil,
        onHangUp: (@Sendable () -> Void)? = nil,
        handler: @escaping @Sendable (StopSignal) -> Void
    ) {
        precondition(onHangUp == nil || !signals.contains(.hangUp), "SIGHUP cannot both stop and notify")
        let signals = signals.filter { $0 != .hangUp || !Self.isIgnored($0.number) }
        self.signals = signals
        var ends: [Int32] = [-1, -1]
        unsafe precondition(pipe(&ends) == 0, "no file descriptor is left for the signal pipe")
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // A full pipe must not block the signal handler; a signal that is lost then has been delivered many times before.
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        let (isFirst, _) = signalPipe.compareExchange(expected: -1, desired: ends[1], ordering: .sequentiallyConsistent)
        precondition(isFirst, "another signal watcher exists")
        var handlers: [Int32: @Sendable () -> Void] = [:]
        handlers[SIGUSR1] = onUserSignal
        handlers[SIGHUP] = onHangUp
        for signal in signals { handlers[signal.number] = { handler(signal) } }
        thread = Mutex(Self.startThread(SignalReader(descriptor: ends[0], handlers: handlers)))
        notices = [onUserSignal.map { _ in SIGUSR1 }, onHangUp.map { _ in SIGHUP }].compactMap { $0 }
        for number in handlers.keys { Self.install(number) }
    }

    /// Restores the default action of the signals, ignores those that only notified, and joins the thread.
    ///
    /// Idempotent; not to be called from the handler.
    package func cancel() {
        let ended = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        guard let ended else { return }
        for signal in signals { Glibc.signal(signal.number, SIG_DFL) }
        for number in notices { Glibc.signal(number, SIG_IGN) }
        let descriptor = signalPipe.exchange(-1, ordering: .sequentiallyConsistent)
        // The thread ends at the end of the pipe.
        close(descriptor)
        pthread_join(ended, nil)
    }

    deinit { cancel() }

    private static func install(_ number: Int32) {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { number in
            let saved = errno
            var byte = UInt8(truncatingIfNeeded: number)
            _ = unsafe write(signalPipe.load(ordering: .relaxed), &byte, 1)
            errno = saved
        }
        action.sa_flags = SA_RESTART
        unsafe sigaction(number, &action, nil)
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        unsafe sigaction(number, nil, &action)
        // SIG_IGN is not a function but the address 1.
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }

    private static func startThread(_ reader: SignalReader) -> pthread_t {
        var thread = pthread_t()
        // Safety: the new thread owns the reference and releases it at its end.
        let context = unsafe Unmanaged.passRetained(reader).toOpaque()
        let status = unsafe pthread_create(
            &thread,
            nil,
            { context in
                if let context = unsafe context {
                    unsafe Unmanaged<SignalReader>.fromOpaque(context).takeRetainedValue().run()
                }
                return nil
            },
            unsafe context,
        )
        precondition(status == 0, "could not start the signal thread: \(status)")
        return thread
    }
}

/// The write end of the pipe, for the signal handler, which can only access globals; -1 without a watcher.
private let signalPipe = Atomic<Int32>(-1)

/// The thread that calls the handlers.
private final class SignalReader: Sendable {
    private let descriptor: Int32
    /// By the number of the signal.
    private let handlers: [Int32: @Sendable () -> Void]

    init(descriptor: Int32, handlers: [Int32: @Sendable () -> Void]) {
        self.descriptor = descriptor
        self.handlers = handlers
    }

    func run() {
        defer { close(descriptor) }
        var byte: UInt8 = 0
        while true {
            let count = unsafe read(descriptor, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1 else { return }
            handlers[Int32(byte)]?()
        }
    }
}
