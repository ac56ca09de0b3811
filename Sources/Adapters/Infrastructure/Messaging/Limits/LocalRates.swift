internal import Application
internal import Synchronization

/// Counts rates in this process, while the counters that all replicas share cannot be reached.
///
/// One per process, shared by its loops. At most ``subjectsMax`` subjects are counted; where there are more, those whose
/// quota is closest to full are forgotten, so that a flood of subjects costs no more memory and frees those least limited.
package final class LocalRates: Sendable {
    package static let subjectsMax = 10_000

    private let rate: RequestRate
    private let now: @Sendable () -> ContinuousClock.Instant
    /// The theoretical arrival time of each subject, by the algorithm of `charge_limits`.
    private let arrivals = Mutex<[Fingerprint: ContinuousClock.Instant]>([:])

    package init(_ rate: RequestRate, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.rate = rate
        self.now = now
    }

    /// Counts one request; returns the time until it can be admitted, nil where it is now.
    func admit(_ subject: Fingerprint) -> Duration? {
        let (now, interval) = (now(), Duration.microseconds(rate.intervalMicroseconds))
        return arrivals.withLock { arrivals in
            let ahead = max(.zero, (arrivals[subject] ?? now) - now) + interval
            let excess = ahead - interval * rate.count
            guard excess <= .zero else { return excess }
            if arrivals[subject] == nil, arrivals.count >= Self.subjectsMax { Self.makeRoom(in: &arrivals, at: now) }
            arrivals[subject] = now + ahead
            return nil
        }
    }

    /// Removes the subjects that are not limited any more, and at least a quarter of all.
    private static func makeRoom(
        in arrivals: inout [Fingerprint: ContinuousClock.Instant],
        at now: ContinuousClock.Instant
    ) {
        let quarter = arrivals.values.sorted()[arrivals.count / 4]
        arrivals = arrivals.filter { $0.value > max(now, quarter) }
    }

    /// For tests.
    var count: Int { arrivals.withLock { $0.count } }
}
