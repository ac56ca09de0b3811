package import Shared

/// Exponential back-off with full jitter: a random part of a limit that doubles with each attempt
/// (Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
package struct Backoff: Sendable {
    private let base: Duration
    private let cap: Duration
    private let random: any RandomSource

    package init(base: Duration = .milliseconds(200), cap: Duration = .seconds(10), random: any RandomSource) {
        self.base = base
        self.cap = cap
        self.random = random
    }

    /// The pause after attempt `attempt`, counted from 1.
    package func pause(afterAttempt attempt: Int) -> Duration {
        let doublings = min(max(attempt - 1, 0), 16)
        return jittered(min(base * (1 << doublings), cap))
    }

    /// A random part of `limit`.
    package func jittered(_ limit: Duration) -> Duration {
        limit * (Double(random.next() >> 11) / Double(1 << 53))
    }
}
