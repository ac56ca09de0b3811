package import Domain
package import Shared

/// A worker began an attempt.
package struct AttemptStarted: DomainEvent {
    package let correlationID: CorrelationID
    package let cause: AttemptCause
    /// From submission to the first claim.
    package let queueMilliseconds: Int
    /// The span of the attempt.
    package let trace: TraceCarrier?

    init(_ claim: JobClaim, _ trace: TraceCarrier?) {
        self.trace = trace
        correlationID = claim.request.correlationID
        cause = claim.cause
        queueMilliseconds = claim.queueMilliseconds
    }
}
