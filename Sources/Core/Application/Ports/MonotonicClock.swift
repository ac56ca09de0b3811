/// A clock that never goes back, and suspension for a time.
package protocol MonotonicClock {
    /// Time since an arbitrary fixed moment.
    var now: Duration { get }
    /// Suspends for `delay`; throws at once when the task is cancelled.
    func sleep(for delay: Duration) async throws(CancellationError)
}
