package import Domain
package import Shared

/// Runs one delivered job to its end: claims it, has it solved, and writes the one terminal event.
///
/// To solve begins with reading what was said before in the conversation; where that cannot be read, the request fails.
///
/// ```
///  deliver ──► claim ──┬─ settled ─────────────────────────────► .settled
///                ▲     ├─ cancelled, exhausted ──► finish ─────► .finished
///                │     └─ claimed ──► solve ──┬─ whole ──► flush ──► finish ──► .finished
///                └──────── history lost ◄─────┤
///                                             ├─ failed ──► postpone ──► .postponed, or give up ──► .finished
///                                             ├─ cancelled ──► flush ──► finish ──► .finished
///                                             ├─ fenced, lease lost ──► .lost (nothing is written any more)
///                                             ├─ refused for good ──► discard ──► .discarded
///                                             └─ handed over ──► .handedOver
/// ```
package struct RunMathRequest: Command {
    package let delivery: JobDelivery
    /// How the job's owner stops it from outside.
    package let control: AttemptControl

    package init(delivery: JobDelivery, control: AttemptControl) {
        self.delivery = delivery
        self.control = control
    }

    package typealias Failure = Never

    package enum Output: Sendable, Equatable {
        /// This worker ended the request.
        case finished(RequestStatus)
        /// There was nothing to do.
        case settled
        /// The job belongs to someone else by now.
        case lost
        /// A draining worker gave the job up; the queue delivers it to another one.
        case handedOver
        /// The attempt failed; the queue delivers the job again after a pause.
        case postponed
        /// The store cannot go on with the request; it failed and became a dead letter. The detail is for operators.
        case discarded(String)
    }
}

/// Why an attempt is stopped from outside.
package enum AbortReason: Sendable, Equatable {
    case cancelled(CancelReason)
    /// The lease could not be renewed: another worker may own the job.
    case leaseLost
    /// This worker drains.
    case handedOver
    /// The attempt cannot write any more.
    case writeFailed(AnswerWriteFailure)
}

/// Stops a running attempt.
///
/// The first reason counts. Loop-owned.
package final class AttemptControl {
    package private(set) var reason: AbortReason?
    /// Where the attempt is recorded, once it has begun.
    package internal(set) var trace: TraceCarrier?
    /// The provider's call, or the pause between two of them.
    private var solving: Task<Void, Never>?

    package init() {}

    /// Cuts the provider's call at once; the attempt then ends as the reason says.
    package func abort(_ reason: AbortReason) {
        guard self.reason == nil else { return }
        self.reason = reason
        solving?.cancel()
    }

    /// A restart within the same worker begins without what ended the last attempt's writing; what was wished from
    /// outside stays.
    func reset() {
        if case .writeFailed = reason { reason = nil }
    }

    func began(_ task: Task<Void, Never>) {
        solving = task
        if reason != nil { task.cancel() }
    }

    func ended() { solving = nil }
}

/// A worker began an attempt.
package struct AttemptStarted: DomainEvent {
    package let correlationID: CorrelationID
    package let cause: AttemptCause
    /// From submission to the first claim.
    package let queueMilliseconds: Int
    /// Where the attempt is recorded.
    package let trace: TraceCarrier?
}

/// An attempt that this worker began is over for it, whatever becomes of the request.
package struct AttemptEnded: DomainEvent {
    package let correlationID: CorrelationID
    package let result: AttemptResult
    /// From the start of the attempt; nil where no token came.
    package let firstTokenMilliseconds: Int?
    /// From the start of the attempt.
    package let durationMilliseconds: Int
    /// Where the attempt is recorded.
    package let trace: TraceCarrier?
}

/// A request reached its terminal event, by this worker.
package struct MathRequestFinished: DomainEvent {
    package let correlationID: CorrelationID
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
    /// Where in a trace it was submitted.
    package let trace: TraceCarrier?
    /// True where it became a dead letter.
    package let isGivenUp: Bool
}
