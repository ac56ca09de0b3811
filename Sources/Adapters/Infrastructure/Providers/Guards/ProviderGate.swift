internal import Application
package import Instrumentation
internal import Shared
package import Telemetry
internal import Tracing

/// What all loops of a process share about one provider.
package struct ProviderGate: Sendable {
    package let name: String
    let breaker: CircuitBreaker
    let slots: CallSlots
    let pause = CallPause()
    /// What the provider's server has refused.
    package let shape: RequestShape
    let metrics: ProviderMetrics
    private let logger: Logger

    /// When a provider is kept away from, or passed over.
    package struct Limits: Sendable {
        /// Failures in a row that open the breaker, and for how long.
        package var failuresMax: Int
        package var openTime: Duration
        /// Calls at once, and how many more may wait for one of them to end.
        package var callsMax: Int
        package var waitersMax: Int

        package init(failuresMax: Int, openTime: Duration, callsMax: Int, waitersMax: Int) {
            self.failuresMax = failuresMax
            self.openTime = openTime
            self.callsMax = callsMax
            self.waitersMax = waitersMax
        }
    }

    package init(name: String, limits: Limits, metrics: ProviderMetrics, logger: Logger) {
        self.name = name
        self.metrics = metrics
        self.logger = logger
        breaker = CircuitBreaker(failuresMax: limits.failuresMax, openTime: limits.openTime)
        metrics.limit.set(limits.callsMax)
        slots = CallSlots(slotsMax: limits.callsMax, waitersMax: limits.waitersMax)
        shape = RequestShape { part in
            logger.warning(
                "provider is sent less than before",
                ["provider": .string(name), "left_out": .string(part.rawValue)],
            )
        }
    }

    /// The breaker's state now.
    package var state: CircuitBreaker.State { breaker.state(at: LoopClock.now) }

    /// Notes how a call for `attempt` ended that took so long; a failure is logged without text of problem and answer.
    func count(
        _ outcome: ProviderOutcome,
        after duration: Duration,
        _ detail: String? = nil,
        for attempt: AttemptName?
    ) {
        metrics.count(outcome, after: duration, exemplar: attempt?.trace?.sampledID)
        if let detail {
            logger.warning("provider call failed", fields(outcome, attempt).merging(["error": .string(detail)]))
        } else {
            logger.debug("provider call ended", fields(outcome, attempt))
        }
    }

    /// Notes that no call was made for `attempt`.
    func turnAway(_ attempt: AttemptName?) {
        metrics.turnedAway.increment()
        logger.debug("provider not called", fields(nil, attempt))
    }

    private func fields(_ outcome: ProviderOutcome?, _ attempt: AttemptName?) -> LogFields {
        var fields: LogFields = ["provider": .string(name)]
        if let outcome { fields["outcome"] = .string(outcome.rawValue) }
        if let attempt {
            fields["correlation_id"] = .string(attempt.correlationID.description)
            fields["attempt"] = .int(Int(attempt.number))
            fields.add(attempt.trace.flatMap { TraceContext($0) })
        }
        return fields
    }
}
