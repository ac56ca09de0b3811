package import Shared

/// Everything that is kept of a request when it is over.
package struct FinishedRequest: Sendable {
    package let request: MathRequest
    /// One of the three terminal ones.
    package let status: RequestStatus
    package let attempts: Int
    package let createdAt: Timestamp
    /// The first claim; nil where no worker ever had it.
    package let startedAt: Timestamp?
    package let finishedAt: Timestamp
    /// The answer's text; what there was of it where the request failed or was cancelled, empty where there was none.
    package let answer: String
    package let provider: String?
    package let model: String?
    /// The version of the system prompt the provider was given; nil where it takes none.
    package let promptVersion: String?
    /// Of a completed request.
    package let finishReason: FinishReason?
    /// Of a cancelled request.
    package let cancelReason: CancelReason?
    /// Of a failed request.
    package let failure: RequestFailure?
    package let usage: TokenUsage?
    /// Of a completed request.
    package let timings: AnswerTimings?
    /// Nil where an earlier release kept it, or its events had expired before its end.
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
    /// The ids that a replay of it has, the same whenever and wherever it is replayed.
    ///
    /// Where they were not kept they are those of an attempt that no request reaches, so that no client has one of them
    /// from the events that have expired: the last marker is that of the attempt after the last that began.
    package var replayIDs: EndingIDs {
        let beyond = UInt64(max(0, attempts)) + 2
        return ending
            ?? EndingIDs(
                end: EventID(attempt: beyond, sequence: 2),
                before: EventID(attempt: beyond, sequence: 1),
            )
    }

    /// How it ended; nil where that is not known.
    package var outcome: AnswerOutcome? {
        switch status {
        case .completed: .completed(finishReason ?? .stop)
        case .failed: failure.map { .failed($0) }
        case .cancelled: .cancelled(cancelReason ?? .requested)
        case .queued, .running: nil
        }
    }
}

/// The place of a request's end in its stream.
package struct EndingIDs: Sendable, Hashable {
    /// Of the terminal event.
    package let end: EventID
    /// Of the event before it.
    package let before: EventID

    package init(end: EventID, before: EventID) {
        self.end = end
        self.before = before
    }

    /// Nil where one of them is not known.
    package init?(end: EventID?, before: EventID?) {
        guard let end, let before, before < end else { return nil }
        self.init(end: end, before: before)
    }
}

/// How long an answer took, as its `completed` event tells.
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
