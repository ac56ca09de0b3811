package import Instrumentation

/// What all loops of a process share about one provider.
package struct ProviderGate: Sendable {
    package let name: String
    let breaker: CircuitBreaker
    let slots: CallSlots
    let metrics: ProviderMetrics

    /// The breaker opens after `failuresMax` failures in a row, for `openTime`; there are `callsMax` calls at once.
    /// `isAlone` where no other provider is configured.
    package init(
        name: String,
        failuresMax: Int,
        openTime: Duration,
        callsMax: Int,
        isAlone: Bool = false,
        metrics: ProviderMetrics
    ) {
        self.name = name
        breaker = CircuitBreaker(failuresMax: failuresMax, openTime: openTime)
        slots = CallSlots(slotsMax: callsMax, isAlone: isAlone)
        self.metrics = metrics
    }

    /// The breaker's state now.
    package var state: CircuitBreaker.State { breaker.state(at: LoopClock.now) }
}
