package import Domain

/// Runs one delivered job to its end: claims it, solves the problem and writes the terminal event.
///
/// The context of the conversation is read first; a request whose context cannot be read fails.
///
/// ```
///  deliver ──► claim ──┬─ settled ─────────────────────────────► .settled
///                ▲     ├─ cancelled, exhausted ──► finish ─────► .finished
///                │     └─ claimed ──► solve ──┬─ complete ──► flush ──► finish ──► .finished
///                └──────── history lost ◄─────┤
///                                             ├─ failed ──► schedule retry ──► .retryScheduled
///                                             │             no attempt left ──► finish ──► .finished
///                                             ├─ cancelled ──► flush ──► finish ──► .finished
///                                             ├─ fenced, lease lost ──► .lost (nothing more is written)
///                                             ├─ rejected permanently ──► fail unreadable ──► .unreadable
///                                             └─ worker drains ──► release ──► .released
/// ```
package struct RunMathRequest: Command {
    package let delivery: JobDelivery
    /// Stops the job from outside.
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
        /// Another worker owns the job by now.
        case lost
        /// The worker drains; the queue redelivers the job.
        case released
        /// The attempt failed; the queue redelivers the job after a pause.
        case retryScheduled
        /// The stored request cannot be processed; it failed and became a dead letter. The detail is for operators.
        case unreadable(String)
    }
}
