internal import Synchronization

/// A number that may be unknown; a scrape omits it while it is.
///
/// Safe from any thread.
package final class Reading: Sendable {
    private let bits = Atomic<UInt64>(Double.nan.bitPattern)

    fileprivate init() {}

    /// Sets the value; nil for an unknown value.
    package func set(_ value: Double?) { bits.store((value ?? .nan).bitPattern, ordering: .relaxed) }

    /// The value; nil while it is unknown.
    package var value: Double? {
        let value = Double(bitPattern: bits.load(ordering: .relaxed))
        return value.isNaN ? nil : value
    }
}

extension MetricsRegistry {
    /// Registers a gauge whose value may be unknown.
    ///
    /// A second gauge with the same labels traps.
    package func reading(_ name: String, help: String, labels: Labels = [:]) -> Reading {
        let reading = Reading()
        observeGauge(name, help: help, labels: labels) { reading.value }
        return reading
    }
}
