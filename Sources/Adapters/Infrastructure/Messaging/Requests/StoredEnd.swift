package import Domain
package import Shared

/// How a request ended that no worker ran.
package enum StoredEnd: Sendable {
    /// With the time since its submission.
    case cancelled(CancelReason, after: Duration)
    /// No worker claimed it before its keys expired.
    case expired
    /// It failed for a reason of the queue, with the time since its submission.
    case failed(ProblemKind, after: Duration)
}
