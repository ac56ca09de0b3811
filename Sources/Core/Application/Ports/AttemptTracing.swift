package import Domain
package import Shared

/// Records attempts as spans of a distributed trace.
///
/// Recording never waits and never fails.
package protocol AttemptTracing {
    /// Plans the span of an attempt before its claim; nil without tracing.
    func plan() -> TraceCarrier?
    /// Begins the span of a claimed attempt, at the planned place.
    func begin(_ claim: JobClaim, provider: String) -> any AttemptTrace
}

/// The span of one attempt; loop-owned.
package protocol AttemptTrace: AnyObject {
    /// The parent of the provider's calls; nil where the request is part of no trace.
    var carrier: TraceCarrier? { get }
    func end(_ result: AttemptResult)
}
