package import Shared

/// An ended request, as the archive stores it.
package struct FinishedRequest: Sendable {
    package let request: MathRequest
    /// A terminal status.
    package let status: RequestStatus
    package let attempts: Int
    package let createdAt: Timestamp
    /// The first claim; nil where no worker claimed it.
    package let startedAt: Timestamp?
    package let finishedAt: Timestamp
    /// The answer's text; incomplete where the request failed or was cancelled, empty where there is none.
    package let answer: String
    package let provider: String?
    package let model: String?
    /// The version of the system prompt; nil for a provider that takes none.
    package let promptVersion: String?
    /// Only of a completed request.
    package let finishReason: FinishReason?
    /// Only of a cancelled request.
    package let cancelReason: CancelReason?
    /// Only of a failed request.
    package let failure: RequestFailure?
    package let usage: TokenUsage?
    /// Only of a completed request.
    package let timings: AnswerTimings?
    /// Nil for a request that release 1.0 archived, and where the events had expired before the end.
    package let ending: EndingIDs?

    package init(
        request: MathRequest,
        status: RequestStatus,
        attempts: Int,
        createdAt: Timestamp,
        startedAt: Timestamp?,
        finishedAt: Timestamp,
        answer: String,
        provider: String?,
        model: String?,
        promptVersion: String?,
        finishReason: FinishReason?,
        cancelReason: CancelReason?,
        failure: RequestFailure?,
        usage: TokenUsage?,
        timings: AnswerTimings?,
        ending: EndingIDs?
    ) {
        self.request = request
        self.status = status
        self.attempts = attempts
        self.createdAt = createdAt
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.answer = answer
        self.provider = provider
        self.model = model
        self.promptVersion = promptVersion
        self.finishReason = finishReason
        self.cancelReason = cancelReason
        self.failure = failure
        self.usage = usage
        self.timings = timings
        self.ending = ending
    }
}

extension FinishedRequest {
    /// The event ids of a replay, the same for every replay on every replica.
    ///
    /// Where they were not stored they belong to an attempt that no request reaches, so that no client has one of them from
    /// expired events: the last possible marker is that of the attempt after the last one.
    package var replayIDs: EndingIDs {
        let beyond = UInt64(max(0, attempts)) + 2
        return ending
            ?? EndingIDs(
                end: EventID(attempt: beyond, sequence: 2),
                before: EventID(attempt: beyond, sequence: 1),
            )
    }

    /// The outcome; nil where a failure is not known.
    package var outcome: AnswerOutcome? {
        switch status {
        case .completed: .completed(finishReason ?? .stop)
        case .failed: failure.map { .failed($0) }
        case .cancelled: .cancelled(cancelReason ?? .requested)
        case .queued, .running: nil
        }
    }
}

/// The last two event ids of a request's stream.
package struct EndingIDs: Sendable, Hashable {
    /// The terminal event.
    package let end: EventID
    /// The event before it.
    package let before: EventID

    package init(end: EventID, before: EventID) {
        self.end = end
        self.before = before
    }

    /// Nil where one id is missing or they are out of order.
    package init?(end: EventID?, before: EventID?) {
        guard let end, let before, before < end else { return nil }
        self.init(end: end, before: before)
    }
}

/// The durations of a `completed` event.
package struct AnswerTimings: Sendable, Hashable {
    /// From submission to the first claim.
    package let queueMilliseconds: Int
    /// From the start of the last attempt to its first token; nil where none came.
    package let firstTokenMilliseconds: Int?
    /// From the start of the last attempt to its end.
    package let durationMilliseconds: Int

    package init(queueMilliseconds: Int, firstTokenMilliseconds: Int?, durationMilliseconds: Int) {
        self.queueMilliseconds = queueMilliseconds
        self.firstTokenMilliseconds = firstTokenMilliseconds
        self.durationMilliseconds = durationMilliseconds
    }
}
