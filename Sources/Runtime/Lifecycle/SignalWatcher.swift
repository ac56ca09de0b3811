internal import Glibc
internal import Synchronization

/// A signal that asks the process to end.
package enum StopSignal: Sendable, CaseIterable {
    /// SIGTERM: from an orchestrator.
    case terminate
    /// SIGINT: from a terminal.
    case interrupt
    /// SIGHUP: the terminal is gone.
    case hangUp

    /// The signals at which a server stops.
    package static let ofServers: [StopSignal] = [.terminate, .interrupt]

    /// The system's number.
    package var number: Int32 {
        switch self {
        case .terminate: SIGTERM
        case .interrupt: SIGINT
        case .hangUp: SIGHUP
        }
    }

    /// The system's name.
    package var name: String {
        switch self {
        case .terminate: "SIGTERM"
        case .interrupt: "SIGINT"
        case .hangUp: "SIGHUP"
        }
    }
}

/// Calls a handler on a thread of its own for each signal.
///
/// The signal handler proper only writes the number to a pipe; the thread reads it. So it does not matter which thread
/// a signal hits, which threads exist already, and nothing is blocked that a child process would inherit.
/// At most one watcher exists at a time.
package final class SignalWatcher: Sendable {
    private let signals: [StopSignal]
    private let thread: Mutex<pthread_t?>
    private let watchesUserSignal: Bool

    /// Makes SIGUSR1 harmless for the whole process, whether somebody watches it or not; to be called first of all.
    package static func ignoreUserSignal() { Glibc.signal(SIGUSR1, SIG_IGN) }

    /// Begins to watch; until ``cancel()`` the signals no longer end the process.
    ///
    /// `handler` may block, and so may `onUserSignal`, which hears of SIGUSR1; without it that signal is left alone.
    /// SIGHUP stays ignored where it was (nohup(1)).
    package init(
        _ signals: [StopSignal] = StopSignal.ofServers,
        onUserSignal: (@Sendable () -> Void)? = nil,
        handler: @escaping @Sendable (StopSignal) -> Void
    ) {
        let signals = signals.filter { $0 != .hangUp || !Self.isIgnored($0.number) }
        self.signals = signals
        var ends: [Int32] = [-1, -1]
        unsafe precondition(pipe(&ends) == 0, "no file descriptor is left for the signal pipe")
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // A full pipe must not block the signal handler; that many signals lose nothing by one more.
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        let (isFirst, _) = signalPipe.compareExchange(expected: -1, desired: ends[1], ordering: .sequentiallyConsistent)
        precondition(isFirst, "another signal watcher exists")
        let reader = SignalReader(descriptor: ends[0], handler: handler, onUserSignal: onUserSignal)
        thread = Mutex(Self.startThread(reader))
        watchesUserSignal = onUserSignal != nil
        for signal in signals { Self.install(signal.number) }
        if watchesUserSignal { Self.install(SIGUSR1) }
    }

    /// Gives the signals their default action again, has SIGUSR1 ignored, and joins the thread.
    ///
    /// Idempotent; not to be called by the handler.
    package func cancel() {
        let ended = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        guard let ended else { return }
        for signal in signals { Glibc.signal(signal.number, SIG_DFL) }
        if watchesUserSignal { Self.ignoreUserSignal() }
        let descriptor = signalPipe.exchange(-1, ordering: .sequentiallyConsistent)
        // The end of the pipe ends the thread.
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
        // SIG_IGN, which is no function but the address 1.
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }

    private static func startThread(_ reader: SignalReader) -> pthread_t {
        var thread = pthread_t()
        // Safety: the new thread takes over the reference and releases it when it ends.
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

/// The writing end of the pipe, for the signal handler, which can reach nothing but globals; -1 without a watcher.
private let signalPipe = Atomic<Int32>(-1)

/// The thread that hands signals on.
private final class SignalReader: Sendable {
    private let descriptor: Int32
    private let handler: @Sendable (StopSignal) -> Void
    private let onUserSignal: (@Sendable () -> Void)?

    init(
        descriptor: Int32,
        handler: @escaping @Sendable (StopSignal) -> Void,
        onUserSignal: (@Sendable () -> Void)?
    ) {
        self.descriptor = descriptor
        self.handler = handler
        self.onUserSignal = onUserSignal
    }

    func run() {
        defer { close(descriptor) }
        var byte: UInt8 = 0
        while true {
            let count = unsafe read(descriptor, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1 else { return }
            if Int32(byte) == SIGUSR1 { onUserSignal?() }
            if let signal = StopSignal.allCases.first(where: { $0.number == Int32(byte) }) { handler(signal) }
        }
    }
}
