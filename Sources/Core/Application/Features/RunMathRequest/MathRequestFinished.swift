package import Domain
package import Shared

/// This worker wrote the terminal event of a request.
package struct MathRequestFinished: DomainEvent {
    package let correlationID: CorrelationID
    package let userID: UserID
    package let outcome: AnswerOutcome
    package let attempt: UInt64
    package let provider: String
    package let usage: TokenUsage
    package let queueMilliseconds: Int
    package let firstTokenMilliseconds: Int?
    /// From the start of the last attempt.
    package let durationMilliseconds: Int
    /// From submission.
    package let totalMilliseconds: Int
    /// The span that submitted the request.
    package let trace: TraceCarrier?
    /// True where the request became a dead letter.
    package let isDeadLetter: Bool

    init(_ attempt: FinishedAttempt, isDeadLetter: Bool) {
        correlationID = attempt.claim.request.correlationID
        userID = attempt.claim.request.userID
        outcome = attempt.outcome
        self.attempt = attempt.claim.attempt
        provider = attempt.account.provider.name
        usage = attempt.account.usage
        queueMilliseconds = attempt.claim.queueMilliseconds
        firstTokenMilliseconds = attempt.firstTokenMilliseconds
        durationMilliseconds = attempt.durationMilliseconds
        trace = attempt.claim.request.trace
        totalMilliseconds = attempt.claim.ageMilliseconds + attempt.durationMilliseconds
        self.isDeadLetter = isDeadLetter
    }
}
