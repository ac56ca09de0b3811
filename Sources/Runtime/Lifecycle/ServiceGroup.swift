internal import Glibc
internal import Synchronization
package import Telemetry

/// Starts services in order, waits for a stop, and stops them in reverse order.
///
/// ```
///  starting ──all ready──► serving ──signal, stop(), a service ended──► draining ──► closing ──► ended
///      └───────────── not ready in time, failed, signal ──────────────────────────────┘
/// ```
/// Draining calls ``Service/drain()`` of one service after the other, closing cancels one after the other; each step has
/// the limit of its service. ``run(signals:onStop:onUserSignal:onHangUp:)`` throws the first failure at the end. A second signal
/// exits the process immediately, with code 128 + the number of the signal.
package final class ServiceGroup: Sendable {
    private let services: [any Service]
    private let logger: Logger
    private let events: AsyncStream<Event>
    private let post: AsyncStream<Event>.Continuation
    private let isStopping = Atomic<Bool>(false)
    private let signalCount = Atomic<Int>(0)

    /// The events of the state machine; a few per service, so that the queue needs no bound.
    enum Event: Sendable {
        case started(Int)
        case ended(Int, (any Error)?)
        case drained(Int)
        case stop
        /// A limit is reached; the number distinguishes it from the limits of earlier steps.
        case limit(Int)
    }

    /// Starts nothing before ``run(signals:onStop:onUserSignal:onHangUp:)``.
    package init(_ services: [any Service], logger: Logger) {
        self.services = services
        self.logger = logger
        (events, post) = AsyncStream.makeStream()
    }

    /// Requests the orderly stop, like a first signal.
    ///
    /// Idempotent; from any thread, also before the group runs.
    package func stop() {
        if requestStop() { logger.info("stop requested") }
    }

    /// Runs the services until they have stopped; once per group.
    ///
    /// `onUserSignal` is called for each SIGUSR1, `onHangUp` for each SIGHUP, on the signal thread. `onStop` is called once when the stop begins, before
    /// the first service drains; readiness ends there. Cancelling the caller's task is a stop as well.
    /// - Throws: the first failure: the error of a service that ended early, or a ``ServiceGroupError``.
    package func run(
        signals: [StopSignal] = StopSignal.ofServers,
        onStop: @escaping @Sendable () -> Void = {},
        onUserSignal: (@Sendable () -> Void)? = nil,
        onHangUp: (@Sendable () -> Void)? = nil
    ) async throws {
        let watcher =
            signals.isEmpty
            ? nil : SignalWatcher(signals, onUserSignal: onUserSignal, onHangUp: onHangUp) { self.received($0) }
        defer { watcher?.cancel() }
        // In a separate task: the services are stopped in order and within their limits also for a cancelled caller.
        let run = Task {
            var run = ServiceGroupRun(
                services: services,
                logger: logger,
                events: events,
                post: post,
                stopRequested: isStopping.load(ordering: .relaxed),
            )
            try await run.run(onStop: onStop)
        }
        try await withTaskCancellationHandler {
            try await run.value
        } onCancel: {
            stop()
        }
    }

    /// True for the first request.
    private func requestStop() -> Bool {
        if isStopping.exchange(true, ordering: .relaxed) { return false }
        post.yield(.stop)
        return true
    }

    /// Called on the signal thread, so that the immediate exit works even if all other threads block.
    private func received(_ signal: StopSignal) {
        if signalCount.wrappingAdd(1, ordering: .relaxed).oldValue == 0 {
            logger.info("stop requested by signal", ["signal": .string(signal.name)])
            _ = requestStop()
        } else {
            logger.warning("second signal, ending at once", ["signal": .string(signal.name)])
            _exit(128 + signal.number)
        }
    }
}
