package import Domain
package import Shared

/// Why an attempt is stopped from outside.
package enum AbortReason: Sendable, Equatable {
    case cancelled(CancelReason)
    /// The lease could not be renewed: another worker may own the job.
    case leaseLost
    /// The worker drains.
    case draining
    /// The attempt cannot write any more.
    case writeFailed(AnswerWriteFailure)
}

/// Stops a running attempt.
///
/// The first reason applies. Loop-owned.
package final class AttemptControl {
    package private(set) var reason: AbortReason?
    /// The span of the attempt; nil before its claim.
    package internal(set) var trace: TraceCarrier?
    /// The provider's call, or the pause between two calls.
    private var solving: Task<Void, Never>?

    package init() {}

    /// Cancels the provider's call at once; the attempt then ends as the reason requires.
    package func abort(_ reason: AbortReason) {
        guard self.reason == nil else { return }
        self.reason = reason
        solving?.cancel()
    }

    /// Removes the write failure of the last attempt before the next one in the same worker; other reasons stay.
    func reset() {
        if case .writeFailed = reason { reason = nil }
    }

    func began(_ task: Task<Void, Never>) {
        solving = task
        if reason != nil { task.cancel() }
    }

    func ended() { solving = nil }
}
