package import Domain
package import Shared

/// An attempt of this worker ended; its request may go on.
package struct AttemptEnded: DomainEvent {
    package let correlationID: CorrelationID
    package let result: AttemptResult
    /// From the start of the attempt; nil where no token came.
    package let firstTokenMilliseconds: Int?
    /// From the start of the attempt.
    package let durationMilliseconds: Int
    /// The span of the attempt.
    package let trace: TraceCarrier?

    init(_ claim: JobClaim, _ result: AttemptResult, _ sink: AttemptSink, _ trace: TraceCarrier?) {
        self.trace = trace
        correlationID = claim.request.correlationID
        self.result = result
        firstTokenMilliseconds = sink.firstTokenMilliseconds
        durationMilliseconds = sink.elapsedMilliseconds
    }
}
