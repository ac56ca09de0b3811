package import Domain
package import Shared

/// A claimed job: only this worker can write attempt `attempt` of its request.
package struct JobClaim: Sendable {
    package let delivery: JobDelivery
    package let request: MathRequest
    /// Counted from 1.
    package let attempt: UInt64
    package let cause: AttemptCause
    /// Milliseconds from submission to the first claim, by the store's clock.
    package let queueMilliseconds: Int
    /// Milliseconds from submission to this claim, by the store's clock.
    package let ageMilliseconds: Int
    /// Why the previous attempt failed; nil where it did not.
    package let lastFailure: RequestFailure?
    /// True for the first request of its conversation.
    package let opensConversation: Bool
    /// The planned span of this attempt, and the span of the previous one.
    package let trace: TraceCarrier?
    package let earlierTrace: TraceCarrier?

    package init(
        delivery: JobDelivery,
        request: MathRequest,
        attempt: UInt64,
        cause: AttemptCause,
        queueMilliseconds: Int,
        ageMilliseconds: Int,
        lastFailure: RequestFailure? = nil,
        opensConversation: Bool = false,
        trace: TraceCarrier? = nil,
        earlierTrace: TraceCarrier? = nil
    ) {
        self.delivery = delivery
        self.request = request
        self.attempt = attempt
        self.cause = cause
        self.queueMilliseconds = queueMilliseconds
        self.ageMilliseconds = ageMilliseconds
        self.lastFailure = lastFailure
        self.opensConversation = opensConversation
        self.trace = trace
        self.earlierTrace = earlierTrace
    }

    /// The same job at the next attempt's number, for the end of a request that has no further attempt.
    package func next(after failure: RequestFailure) -> JobClaim {
        JobClaim(
            delivery: delivery,
            request: request,
            attempt: attempt + 1,
            cause: cause,
            queueMilliseconds: queueMilliseconds,
            ageMilliseconds: ageMilliseconds,
            lastFailure: failure,
            opensConversation: opensConversation,
            trace: trace,
            earlierTrace: earlierTrace,
        )
    }
}

/// The result of a claim.
package enum ClaimResult: Sendable {
    /// The attempt's marker is written, and every older attempt is fenced.
    case claimed(JobClaim)
    /// The request has no attempt left; it must be failed at the place of this attempt's marker.
    case exhausted(JobClaim)
    /// Cancellation was requested; the request must be cancelled after its last event.
    case cancelled(JobClaim, CancelReason)
    /// There is nothing to do: the request is over, has expired or belongs to another worker. The entry is acknowledged
    /// where that is due.
    case settled
}

/// The provider of the next attempt, and the reason for that attempt.
package struct AttemptPlan: Sendable {
    package let provider: String
    package let model: String
    /// Ignored for the first attempt.
    package let restartReason: RestartReason
    /// The planned span of the attempt, stored for the attempt after it; nil without tracing.
    package let trace: TraceCarrier?

    package init(provider: String, model: String, restartReason: RestartReason, trace: TraceCarrier? = nil) {
        self.provider = provider
        self.model = model
        self.restartReason = restartReason
        self.trace = trace
    }
}
