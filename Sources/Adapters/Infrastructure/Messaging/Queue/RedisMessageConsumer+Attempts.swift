package import Application
package import Domain
internal import RedisClient
internal import Shared

/// Attempts: from the claim to the end of the request or the next attempt.
extension RedisMessageConsumer {
    package func claim(_ delivery: JobDelivery, _ plan: AttemptPlan) async throws(QueueFailure) -> ClaimResult {
        let reply = try await store.queueCall(
            ClaimCall(
                delivery,
                plan,
                by: consumer,
                attemptsMax: terms.attemptsMax,
                store.keys,
                store.retention,
            )
        )
        switch reply {
        case .settled: return .settled
        case .expired:
            store.publish(RequestEndedWithoutWorker.expired)
            return .settled
        case .claimed(let claimed): return .claimed(try claim(delivery, plan, claimed))
        case .exhausted(let claimed): return .exhausted(try claim(delivery, plan, claimed))
        case .cancelled(let claimed):
            return .cancelled(try claim(delivery, plan, claimed), RequestHash.cancelReason(claimed.fields))
        }
    }

    private func claim(
        _ delivery: JobDelivery,
        _ plan: AttemptPlan,
        _ claimed: ClaimedAttempt
    ) throws(QueueFailure) -> JobClaim {
        guard let record = RequestHash.record(delivery.correlationID, claimed.fields) else {
            throw .refused(detail: "the request's record cannot be read")
        }
        return JobClaim(
            delivery: delivery,
            request: record.request,
            attempt: claimed.attempt,
            cause: claimed.cause,
            queueMilliseconds: claimed.queueMilliseconds,
            ageMilliseconds: claimed.ageMilliseconds,
            lastFailure: RequestHash.lastFailure(claimed.fields),
            opensConversation: RequestHash.opensConversation(claimed.fields),
            trace: plan.trace,
            earlierTrace: RequestHash.earlierAttempt(claimed.fields),
        )
    }

    package func finish(
        _ attempt: FinishedAttempt,
        at place: FinishPlace,
        letter: DeadLetterReason?
    ) async throws(QueueFailure) -> FinishResult {
        let reply = try await store.queueCall(
            FinishCall(attempt, at: place, by: consumer, deadLetter: letter, store.keys, store.retention),
        )
        store.report(droppedDeadLetters: reply.droppedDeadLetters)
        return reply.result
    }

    package func failUnreadable(_ delivery: JobDelivery, detail: String) async throws(QueueFailure) {
        let failure = RequestFailure(
            kind: .internalError,
            detail: "What is known of this problem cannot be read any more. Please send it again.",
        )
        let reply = try await store.queueCall(
            FailUnreadableCall(delivery, failure, detail: detail, store.keys, store.retention)
        )
        store.report(droppedDeadLetters: reply.droppedDeadLetters)
        guard reply.hasEnded else { return }
        store.publish(RequestEndedWithoutWorker.failed(delivery.correlationID, failure.kind, after: .zero))
    }

    package func scheduleRetry(
        _ claim: JobClaim,
        for pause: Duration,
        _ reason: RestartReason,
        _ failure: RequestFailure,
        answer: String
    ) async throws(QueueFailure) -> RetryResult {
        try await store.queueCall(
            ScheduleRetryCall(
                claim,
                after: pause,
                reason,
                failure,
                answer: answer,
                by: consumer,
                attemptsMax: terms.attemptsMax,
                store.keys,
            )
        )
    }

    package func enqueueDue(upTo count: Int) async throws(QueueFailure) -> Int {
        var enqueued = 0
        for partition in 0..<store.keys.partitions {
            enqueued += try await store.queueCall(EnqueueDueCall(in: partition, upTo: count, store.keys))
        }
        return enqueued
    }
}
