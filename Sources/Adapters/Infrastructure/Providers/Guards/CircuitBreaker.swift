internal import Synchronization

/// Stops calls to a failing provider, for all loops of a process.
///
/// ```
///  closed ──failures in a row──► open ──its time expires──► half-open: one call at a time
///    ▲                            ▲                           │         │
///    │                            └──────────failure──────────┘         │
///    └──────────────────first token, or a good end──────────────────────┘
/// ```
/// A call without a verdict on the provider, such as a cancelled one, changes nothing and leaves the half-open state to
/// the next call. Safe from any thread; times are those of the monotonic clock.
package final class CircuitBreaker: Sendable {
    package enum State: String, Sendable, CaseIterable {
        case closed
        case open
        case halfOpen = "half_open"
    }

    /// The verdict of one call on the provider.
    enum Verdict {
        case good
        case bad
        case none
    }

    /// The right to one call.
    struct Admission: Sendable, Equatable {
        /// True for the one call of the half-open state.
        fileprivate let isTrial: Bool
    }

    private struct Status {
        var failures = 0
        /// Nil while closed.
        var reopensAt: Duration?
        var hasTrial = false
    }

    private let failuresMax: Int
    private let openTime: Duration
    private let status = Mutex(Status())

    /// Opens after `failuresMax` (at least 1) bad calls in a row, for `openTime`.
    package init(failuresMax: Int, openTime: Duration) {
        self.failuresMax = failuresMax
        self.openTime = openTime
    }

    package func state(at now: Duration) -> State {
        status.withLock { status in
            guard let end = status.reopensAt else { return .closed }
            return now < end ? .open : .halfOpen
        }
    }

    /// Lets a call through, or not: nil.
    ///
    /// Each admission is followed by one ``settle(_:_:at:)``.
    func admit(at now: Duration) -> Admission? {
        status.withLock { status in
            guard let end = status.reopensAt else { return Admission(isTrial: false) }
            guard now >= end, !status.hasTrial else { return nil }
            status.hasTrial = true
            return Admission(isTrial: true)
        }
    }

    /// The first token of a call: enough to let the others in again.
    func sawToken(_ admission: Admission) {
        guard admission.isTrial else { return }
        status.withLock { status in if status.hasTrial { status = Status() } }
    }

    /// The end of a call.
    func settle(_ admission: Admission, _ verdict: Verdict, at now: Duration) {
        status.withLock { status in
            switch (verdict, status.reopensAt) {
            case (.good, nil): status.failures = 0
            case (.bad, nil):
                status.failures += 1
                if status.failures >= failuresMax { status = Status(reopensAt: now + openTime) }
            // Calls that started before the breaker opened were counted already.
            case (_, _?) where !admission.isTrial: break
            case (.good, _?): status = Status()
            case (.bad, _?): status = Status(reopensAt: now + openTime)
            case (.none, _): if admission.isTrial { status.hasTrial = false }
            }
        }
    }
}
