internal import Synchronization
internal import Time

// With WITHOUT_TELEMETRY defined, instruments count nothing: only `Benchmarks/run telemetry` builds such a program, to
// measure the cost of the instruments.

/// A number that only grows.
///
/// One relaxed atomic addition; safe from any thread.
package final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    init() {}

    /// Adds `amount`, which is not negative.
    package func increment(by amount: Int = 1) {
        assert(amount >= 0, "a counter never goes down")
        #if !WITHOUT_TELEMETRY
        count.wrappingAdd(amount, ordering: .relaxed)
        #endif
    }

    /// The sum so far.
    package var value: Int { count.load(ordering: .relaxed) }
}

/// A number that goes up and down.
///
/// Safe from any thread.
package final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    init() {}

    /// Sets the value.
    package func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    /// Sets the value.
    package func set(_ value: Int) { set(Double(value)) }

    /// Adds `amount`, which may be negative.
    package func add(_ amount: Double) {
        #if !WITHOUT_TELEMETRY
        bits.add(amount)
        #endif
    }

    /// Adds one.
    package func increment() { add(1) }

    /// Subtracts one.
    package func decrement() { add(-1) }

    /// The current value.
    package var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// A distribution over fixed buckets.
///
/// Two relaxed atomic additions, and a short lock for a value with an exemplar; safe from any thread.
package final class Histogram: Sendable {
    /// Upper limits of the buckets, inclusive and ascending; one bucket without a limit follows.
    package let limits: [Double]
    private let buckets: [Counter]
    private let sum = Atomic<UInt64>(0)
    /// The last exemplar of each bucket; empty before the first one.
    private let exemplars = Mutex<[Exemplar?]>([])

    init(limits: [Double]) {
        self.limits = limits
        buckets = (0...limits.count).map { _ in Counter() }
    }

    /// Records a value; NaN is ignored.
    ///
    /// `exemplar` is the id of the sampled trace of the value: 32 lower-case hexadecimal digits. Each bucket stores its last
    /// exemplar for scrapes in the OpenMetrics format; a text that is not a trace id is ignored.
    package func observe(_ value: Double, exemplar: String? = nil) {
        #if WITHOUT_TELEMETRY
        return
        #else
        record(value, exemplar)
        #endif
    }

    private func record(_ value: Double, _ exemplar: String?) {
        guard !value.isNaN else { return }
        let index = limits.firstIndex { value <= $0 } ?? limits.count
        buckets[index].increment()
        sum.add(value)
        if let exemplar { store(exemplar, of: value, in: index) }
    }

    /// Records a duration, in seconds.
    package func observe(_ duration: Duration, exemplar: String? = nil) {
        observe(duration.inSeconds, exemplar: exemplar)
    }

    private func store(_ traceID: String, of value: Double, in index: Int) {
        guard let exemplar = Exemplar(traceID: traceID, value: value) else { return }
        exemplars.withLock { exemplars in
            if exemplars.isEmpty { exemplars = Array(repeating: nil, count: buckets.count) }
            exemplars[index] = exemplar
        }
    }

    /// The last exemplar of a bucket; consistent also during concurrent observations.
    func exemplar(of bucket: Int) -> Exemplar? {
        exemplars.withLock { $0.isEmpty ? nil : $0[bucket] }
    }

    /// The counts of the buckets (not cumulative, the last without limit) and the sum of the values.
    package func snapshot() -> (counts: [Int], sum: Double) {
        (buckets.map(\.value), Double(bitPattern: sum.load(ordering: .relaxed)))
    }

    /// Limits in seconds for operations that should be imperceptible: from a quarter of a millisecond to ten seconds.
    package static let fineSeconds: [Double] = [
        0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    /// Limits in seconds for operations that take from half a millisecond to ten minutes.
    package static let seconds: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
    ]
}

extension Atomic<UInt64> {
    /// Adds to the number whose bit pattern is stored here.
    fileprivate func add(_ amount: Double) {
        var current = load(ordering: .relaxed)
        while true {
            let next = (Double(bitPattern: current) + amount).bitPattern
            let (exchanged, original) = weakCompareExchange(expected: current, desired: next, ordering: .relaxed)
            if exchanged { return }
            current = original
        }
    }
}
