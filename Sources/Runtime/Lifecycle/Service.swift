/// A component that runs as long as the process: a listener, a worker, a pool of connections.
///
/// ```
///  run ──► started() ──► … serves … ──► drain ──► run is cancelled ──► closes ──► run returns
/// ```
/// A ``ServiceGroup`` calls each method once.
package protocol Service: Sendable {
    /// A short constant name for logs.
    var name: String { get }

    /// The time limit of each phase.
    var limits: ServiceLimits { get }

    /// Starts, calls `started` once when other services may use it, and serves until its task is cancelled; then closes
    /// its resources and returns or throws `CancellationError`.
    ///
    /// Returning or throwing before the cancellation stops the whole group.
    func run(started: @escaping @Sendable () -> Void) async throws

    /// First phase of the stop: accepts no new work and returns when the work in progress is finished.
    ///
    /// ``run(started:)`` continues meanwhile. At the limit, the group cancels the task of `drain` and does not wait for it.
    func drain() async
}

extension Service {
    /// The default limits.
    package var limits: ServiceLimits { ServiceLimits() }

    /// Nothing to drain.
    package func drain() async {}
}

/// The time limits of the phases of a service.
package struct ServiceLimits: Sendable, Hashable {
    /// From the call of `run` to `started`.
    package var start: Duration
    /// For `drain`.
    package var drain: Duration
    /// From the cancellation of `run` to its return; the group stops waiting for a service that takes longer.
    package var close: Duration

    /// By default 30 s to start, 25 s to drain, 5 s to close.
    package init(start: Duration = .seconds(30), drain: Duration = .seconds(25), close: Duration = .seconds(5)) {
        self.start = start
        self.drain = drain
        self.close = close
    }
}

/// The failure of a group of services.
package enum ServiceGroupError: Error, Sendable, Hashable {
    /// A service did not start in time.
    case startLimitReached(service: String)
    /// A service returned without a request to stop.
    case endedEarly(service: String)
    /// These services did not close in time; their tasks may still run.
    case abandoned(services: [String])
}
