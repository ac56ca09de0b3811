internal import Glibc
internal import Synchronization
package import Telemetry

/// Starts services in order, waits for a reason to stop, and stops them in reverse order.
///
/// ```
///  starting ──all ready──► serving ──signal, stop(), a service ended──► draining ──► closing ──► ended
///      └───────────── not ready in time, failed, signal ──────────────────────────────┘
/// ```
/// Draining calls ``Service/drain()`` of one service after the other, closing cancels them one after the other; each
/// step has the service's own limit. The first failure is what ``run(signals:onStop:onUserSignal:)`` throws in the end.
/// A second signal ends the process at once, with code 128 + its number.
package final class ServiceGroup: Sendable {
    private let services: [any Service]
    private let logger: Logger
    private let events: AsyncStream<Event>
    private let post: AsyncStream<Event>.Continuation
    private let isStopping = Atomic<Bool>(false)
    private let signalCount = Atomic<Int>(0)

    /// What moves the state machine; few per service, so the queue needs no bound.
    enum Event: Sendable {
        case started(Int)
        case ended(Int, (any Error)?)
        case drained(Int)
        case stop
        /// A limit is reached; the number tells it from limits of earlier steps.
        case limit(Int)
    }

    /// Makes a group; nothing happens before ``run(signals:onStop:onUserSignal:)``.
    package init(_ services: [any Service], logger: Logger) {
        self.services = services
        self.logger = logger
        (events, post) = AsyncStream.makeStream()
    }

    /// Asks for the orderly stop, like a first signal.
    ///
    /// Idempotent, from any thread, also before the group runs.
    package func stop() {
        if requestStop() { logger.info("stop requested") }
    }

    /// Runs the services until they have stopped; once per group.
    ///
    /// `onUserSignal` hears of each SIGUSR1, on a thread of its own. `onStop` is called once when the stop begins, before anything is drained: readiness ends there. Cancelling the
    /// caller's task is a stop as well.
    /// - Throws: the first failure: of a service that ended by itself, or a ``ServiceGroupError``.
    package func run(
        signals: [StopSignal] = StopSignal.ofServers,
        onStop: @escaping @Sendable () -> Void = {},
        onUserSignal: (@Sendable () -> Void)? = nil
    ) async throws {
        let watcher = signals.isEmpty ? nil : SignalWatcher(signals, onUserSignal: onUserSignal) { self.received($0) }
        defer { watcher?.cancel() }
        // In a task of its own: a cancelled caller still has its services to stop, in order and with their limits.
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

    /// On the signal thread, so that the fast end works even when nothing else does.
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
