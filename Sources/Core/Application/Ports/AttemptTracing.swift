package import Domain
package import Shared

/// Records attempts for whoever follows a request through the system.
///
/// Recording never waits and never fails.
package protocol AttemptTracing {
    /// A place for the record of an attempt that is to be claimed; nil where nothing is recorded.
    func plan() -> TraceCarrier?
    /// Begins to record an attempt that was just claimed, at the place that was planned for it.
    func begin(_ claim: JobClaim, provider: String) -> any AttemptTrace
}

/// The record of one attempt; loop-owned.
package protocol AttemptTrace: AnyObject {
    /// What the provider's calls continue; nil where the request is part of no trace.
    var carrier: TraceCarrier? { get }
    /// Ends the record.
    func end(_ result: AttemptResult)
}
