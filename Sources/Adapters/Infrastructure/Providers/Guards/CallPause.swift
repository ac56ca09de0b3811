internal import Synchronization

/// The moment before which a provider wants no call, for all loops of a process.
///
/// Safe from any thread; times are those of the monotonic clock.
package final class CallPause: Sendable {
    private let end = Mutex(Duration.zero)

    package init() {}

    /// Lets no call begin before `moment`; an earlier one than before changes nothing.
    func extend(until moment: Duration) { end.withLock { $0 = max($0, moment) } }

    /// What is left at `now`; nil where calls may begin.
    func rest(at now: Duration) -> Duration? {
        let rest = end.withLock { $0 } - now
        return rest > .zero ? rest : nil
    }
}
