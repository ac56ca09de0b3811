package import Application

/// When a failed call is repeated with the same provider.
///
/// Only failures that another try can mend, only before the first token: exponential pauses with full jitter, and never
/// earlier than the provider asks for. Whoever was silent too long has cost the student that time already and is not asked
/// again; whoever wants to be left alone for longer than ``retryAfterMax`` is left to a later attempt.
package struct RetryPolicy: Sendable {
    /// A longer pause would hold a worker's slot, and a student, for nothing.
    static let retryAfterMax = Duration.seconds(5)

    private let retriesMax: Int
    private let backoff: Backoff

    package init(retriesMax: Int, backoff: Backoff) {
        self.retriesMax = retriesMax
        self.backoff = backoff
    }

    /// The pause before retry number `retry`, from 1; nil where there is none.
    func pause(before retry: Int, after failure: ProviderFailure) -> Duration? {
        switch failure {
        case .unavailable(_, let wish), .busy(_, let wish):
            guard retry <= retriesMax, wish ?? .zero <= Self.retryAfterMax else { return nil }
            return (wish ?? .zero) + backoff.pause(afterAttempt: retry)
        case .cancelled, .timedOut, .noRoom, .refused, .adapted, .rejected:
            return nil
        }
    }
}
