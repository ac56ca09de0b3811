package import Application

/// When a failed call is repeated with the same provider.
///
/// Only failures that another try can mend, only before the first token: exponential pauses with full jitter, and never
/// earlier than the provider asks for. After silence there is no retry: the student has waited that long already. A
/// provider that asks for more than ``retryAfterMax`` is left to a later attempt.
package struct RetryPolicy: Sendable {
    /// A longer pause would hold a worker's slot, and a student, for nothing.
    static let retryAfterMax = Duration.seconds(5)

    private let retriesMax: Int
    private let backoff: Backoff

    package init(retriesMax: Int, backoff: Backoff) {
        self.retriesMax = retriesMax
        self.backoff = backoff
    }

    /// How long to wait for the end of a pause, so that all that wait do not call at once.
    func wait(for rest: Duration) -> Duration { rest + backoff.pause(afterAttempt: 1) }

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
