internal import Domain
internal import Shared

// What the events of an attempt and of its request tell, from what the handler knows of them.

extension AttemptResult {
    init(_ end: RunMathRequestHandler.AttemptEnd, _ reason: AbortReason?) {
        switch end {
        case .over(.finished(let status)):
            switch status {
            case .completed: self = .completed
            case .cancelled: self = .cancelled
            case .failed, .queued, .running: self = .failed
            }
        case .over(.postponed): self = .postponed
        case .over(.handedOver): self = .handedOver
        case .over(.discarded): self = .failed
        case .over(.lost), .over(.settled): self.init(lostBecause: reason)
        case .again(.historyLost): self = .historyLost
        // The wish to cancel came before the next attempt: the claim that follows ends the request.
        case .again(.providerFailed), .again(.workerLost), .again(.handedOver): self = .cancelled
        }
    }

    private init(lostBecause reason: AbortReason?) {
        switch reason {
        case .leaseLost: self = .leaseLost
        case .writeFailed(.fenced): self = .fenced
        case .writeFailed(.gone): self = .expired
        case .writeFailed(.historyLost): self = .historyLost
        case .writeFailed(.cancelled): self = .stopped
        case .writeFailed(.refused): self = .failed
        case .cancelled, .handedOver, nil: self = .superseded
        }
    }
}

extension AttemptStarted {
    init(_ claim: JobClaim, _ trace: TraceCarrier?) {
        self.trace = trace
        correlationID = claim.request.correlationID
        cause = claim.cause
        queueMilliseconds = claim.queueMilliseconds
    }
}

extension AttemptEnded {
    init(_ claim: JobClaim, _ result: AttemptResult, _ sink: AttemptSink, _ trace: TraceCarrier?) {
        self.trace = trace
        correlationID = claim.request.correlationID
        self.result = result
        firstTokenMilliseconds = sink.firstTokenMilliseconds
        durationMilliseconds = sink.elapsedMilliseconds
    }
}

extension MathRequestFinished {
    init(_ attempt: FinishedAttempt, isGivenUp: Bool) {
        correlationID = attempt.claim.request.correlationID
        outcome = attempt.outcome
        self.attempt = attempt.claim.attempt
        provider = attempt.account.provider.name
        usage = attempt.account.usage
        queueMilliseconds = attempt.claim.queueMilliseconds
        firstTokenMilliseconds = attempt.firstTokenMilliseconds
        durationMilliseconds = attempt.durationMilliseconds
        trace = attempt.claim.request.trace
        totalMilliseconds = attempt.claim.ageMilliseconds + attempt.durationMilliseconds
        self.isGivenUp = isGivenUp
    }
}
