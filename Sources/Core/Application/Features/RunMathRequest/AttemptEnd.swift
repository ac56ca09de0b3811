internal import Domain

/// The state of a job after an attempt.
enum AttemptEnd {
    case over(RunMathRequest.Output)
    /// The same worker begins the next attempt.
    case again(RestartReason)
}

extension AttemptResult {
    init(_ end: AttemptEnd, _ reason: AbortReason?) {
        switch end {
        case .over(.finished(let status)):
            switch status {
            case .completed: self = .completed
            case .cancelled: self = .cancelled
            case .failed, .queued, .running: self = .failed
            }
        case .over(.retryScheduled): self = .retryScheduled
        case .over(.released): self = .handedOver
        case .over(.unreadable): self = .failed
        case .over(.lost), .over(.settled): self.init(lostBecause: reason)
        case .again(.historyLost): self = .historyLost
        // Cancellation was requested before the next attempt: the claim that follows cancels the request.
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
        case .cancelled, .draining, nil: self = .superseded
        }
    }
}
