/// Something that lives as long as the process: a listener, a worker, a pool of connections.
///
/// ```
///  run ──► started() ──► … serves … ──► drain ──► run is cancelled ──► closes ──► run returns
/// ```
/// A ``ServiceGroup`` calls each method once.
package protocol Service: Sendable {
    /// A short constant name for logs.
    var name: String { get }

    /// How long each phase may take.
    var limits: ServiceLimits { get }

    /// Starts, calls `started` once when others may rely on it, and serves until its task is cancelled; then closes
    /// what it owns and returns, or throws `CancellationError`.
    ///
    /// Returning or throwing before that stops the whole group.
    func run(started: @escaping @Sendable () -> Void) async throws

    /// First phase of the stop: takes no new work, returns when the work in hand is done. ``run(started:)`` goes on
    /// meanwhile. Its task is cancelled when the limit is reached, and not waited for.
    func drain() async
}

extension Service {
    /// The default limits.
    package var limits: ServiceLimits { ServiceLimits() }

    /// Nothing to drain.
    package func drain() async {}
}

/// How long the phases of a service may take.
package struct ServiceLimits: Sendable, Hashable {
    /// From the call of `run` to `started`.
    package var start: Duration
    /// For `drain`.
    package var drain: Duration
    /// From the cancellation of `run` to its return; a service that takes longer is abandoned.
    package var close: Duration

    /// By default 30 s to start, 25 s to drain, 5 s to close.
    package init(start: Duration = .seconds(30), drain: Duration = .seconds(25), close: Duration = .seconds(5)) {
        self.start = start
        self.drain = drain
        self.close = close
    }
}

/// Why a group of services ended badly.
package enum ServiceGroupError: Error, Sendable, Hashable {
    /// A service was not ready in time.
    case startLimitReached(service: String)
    /// A service returned although nobody asked it to.
    case endedEarly(service: String)
    /// These services did not close in time; their tasks may still run.
    case abandoned(services: [String])
}
