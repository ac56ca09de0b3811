internal import Domain
internal import Shared

/// Ends a job in the queue: with the terminal event of its request, with a retry, or by a release.
struct JobEnding {
    private static let everyWorkerLost = RequestFailure(
        kind: .attemptsExhausted,
        detail: "Every worker that tried this problem was lost. Please send it again.",
    )

    let consumer: any MessageConsumer
    let retry: QueueRetry
    let bus: any EventBus

    /// Writes the terminal event.
    func finish(
        _ attempt: FinishedAttempt,
        at place: FinishPlace,
        _ control: AttemptControl,
        letter: DeadLetterReason? = nil
    ) async -> AttemptEnd {
        let result = await retry.run(control) { () async throws(QueueFailure) in
            try await consumer.finish(attempt, at: place, letter: letter)
        }
        switch result {
        case .success(.finished):
            bus.publish(MathRequestFinished(attempt, isDeadLetter: letter != nil))
            return .over(.finished(attempt.outcome.status))
        case .success(.historyLost): return .again(.historyLost)
        case .success(.superseded), .failure(.stopped): return .over(.lost)
        case .failure(.refused(let detail)): return await failUnreadable(attempt.claim.delivery, detail)
        }
    }

    /// Cancels a request before its attempt began.
    func cancel(
        _ claim: JobClaim,
        _ reason: CancelReason,
        _ provider: ProviderIdentity,
        _ control: AttemptControl
    ) async -> AttemptEnd {
        let account = ProviderAccount(provider: provider, usage: .none)
        return await finish(.untried(claim, .cancelled(reason), account), at: .afterLast, control)
    }

    /// Fails a request that has no attempt left, at the place of the next attempt's marker.
    ///
    /// `account` is the usage of the last attempt, where this worker ran it.
    func fail(_ claim: JobClaim, _ account: ProviderAccount, _ control: AttemptControl) async -> AttemptEnd {
        let failure = claim.lastFailure ?? Self.everyWorkerLost
        let marker = EventID(attempt: claim.attempt, sequence: 0)
        let attempt = FinishedAttempt.untried(claim, .failed(failure), account)
        return await finish(attempt, at: .id(marker), control, letter: .attemptsExhausted)
    }

    /// Schedules the next attempt after `pause`; no worker owns the request meanwhile.
    func scheduleRetry(
        _ claim: JobClaim,
        after failure: RequestFailure,
        _ reason: RestartReason,
        pause: Duration,
        _ sink: AttemptSink,
        _ provider: ProviderIdentity,
        _ control: AttemptControl
    ) async -> AttemptEnd {
        let result = await retry.run(control) { () async throws(QueueFailure) in
            try await consumer.scheduleRetry(claim, for: pause, reason, failure, answer: sink.answer)
        }
        switch result {
        case .success(.scheduled): return .over(.retryScheduled)
        case .success(.superseded), .failure(.stopped): return .over(.lost)
        // The next claim returns the reason of the cancellation.
        case .success(.cancelled): return .again(.providerFailed)
        case .success(.exhausted):
            let account = sink.account ?? ProviderAccount(provider: provider, usage: .none)
            return await fail(claim.next(after: failure), account, control)
        case .failure(.refused(let detail)): return await failUnreadable(claim.delivery, detail)
        }
    }

    /// Releases the job of a draining worker.
    func release(_ claim: JobClaim) async -> AttemptEnd {
        _ = await retry.run(nil) { () async throws(QueueFailure) in try await consumer.release([claim.delivery]) }
        return .over(.released)
    }

    /// Fails a job whose stored request cannot be processed, so that it is not redelivered with each lease.
    func failUnreadable(_ delivery: JobDelivery, _ detail: String) async -> AttemptEnd {
        let result = await retry.run(nil) { () async throws(QueueFailure) in
            try await consumer.failUnreadable(delivery, detail: detail)
        }
        return switch result {
        case .success: .over(.unreadable(detail))
        case .failure: .over(.lost)
        }
    }
}

extension FinishedAttempt {
    /// The end of a request without an attempt of its own.
    fileprivate static func untried(
        _ claim: JobClaim,
        _ outcome: AnswerOutcome,
        _ account: ProviderAccount
    ) -> FinishedAttempt {
        FinishedAttempt(
            claim: claim,
            outcome: outcome,
            answer: nil,
            account: account,
            firstTokenMilliseconds: nil,
            durationMilliseconds: 0,
        )
    }
}
