internal import Synchronization

/// A number that is known at times only; while it is not, a scrape leaves it out.
///
/// Safe from any thread.
package final class Reading: Sendable {
    private let bits = Atomic<UInt64>(Double.nan.bitPattern)

    fileprivate init() {}

    /// Sets what is known now; nil for nothing.
    package func set(_ value: Double?) { bits.store((value ?? .nan).bitPattern, ordering: .relaxed) }

    /// What is known.
    package var value: Double? {
        let value = Double(bitPattern: bits.load(ordering: .relaxed))
        return value.isNaN ? nil : value
    }
}

extension MetricsRegistry {
    /// A gauge that is not always known.
    ///
    /// A second one of the same labels traps.
    package func reading(_ name: String, help: String, labels: Labels = [:]) -> Reading {
        let reading = Reading()
        observeGauge(name, help: help, labels: labels) { reading.value }
        return reading
    }
}
