package import Domain
package import Shared

/// Records attempts for whoever follows a request through the system.
///
/// Recording never waits and never fails.
package protocol AttemptTracing {
    /// Begins to record an attempt that was just claimed.
    func begin(_ claim: JobClaim, provider: String) -> any AttemptTrace
}

/// The record of one attempt; loop-owned.
package protocol AttemptTrace: AnyObject {
    /// What the provider's calls continue; nil where the request is part of no trace.
    var carrier: TraceCarrier? { get }
    /// Ends the record.
    func end(_ result: AttemptResult)
}
