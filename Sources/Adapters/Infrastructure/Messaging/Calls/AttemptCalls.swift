internal import Application
internal import Domain
internal import RedisClient
internal import Shared
internal import Time

/// `claim`.
struct ClaimCall: FunctionCall {
    enum Reply {
        case claimed(ClaimedAttempt)
        case exhausted(ClaimedAttempt)
        case cancelled(ClaimedAttempt)
        /// Nothing is left to do.
        case settled
        /// The request expired, and this call noticed first.
        case expired
    }

    static let function = FunctionLibrary.Function.claim
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(
        _ delivery: JobDelivery,
        _ plan: AttemptPlan,
        by consumer: String,
        attemptsMax: Int,
        _ keyspace: Keyspace,
        _ retention: Retention
    ) {
        let id = delivery.correlationID
        partition = keyspace.partition(of: id)
        keys = [keyspace.jobs(partition), keyspace.request(id), keyspace.events(id)]
        arguments =
            [
                Keyspace.group,
                consumer,
                delivery.entry,
                keyspace.live(id),
                String(retention.live.wholeMilliseconds),
                String(attemptsMax),
                plan.restartReason.rawValue,
                EventData.started(plan).text,
                EventData.restarted(plan).text,
            ] + (plan.trace.map { [$0.parent] } ?? [])
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Reply {
        let elements = try reply.list(ofAtLeast: 1)
        switch elements[0].string {
        case "claimed": return .claimed(try ClaimedAttempt(elements))
        case "exhausted": return .exhausted(try ClaimedAttempt(elements))
        case "cancelled": return .cancelled(try ClaimedAttempt(elements))
        case "settled": return .settled
        case "expired": return .expired
        case _: throw UnexpectedReply()
        }
    }
}

/// What `claim` returns of an attempt.
struct ClaimedAttempt {
    let attempt: UInt64
    let cause: AttemptCause
    /// Milliseconds from the submission to the first claim.
    let queueMilliseconds: Int
    /// Milliseconds from the submission to this claim.
    let ageMilliseconds: Int
    /// The request's hash.
    let fields: [String: String]

    fileprivate init(_ elements: [RedisValue]) throws(UnexpectedReply) {
        guard elements.count == 6, let attempt = UInt64(exactly: try elements[1].number()) else {
            throw UnexpectedReply()
        }
        self.attempt = attempt
        queueMilliseconds = max(0, try elements[2].number())
        fields = elements[3].fields
        ageMilliseconds = max(0, try elements[4].number())
        // A reason of another release counts as a lost worker.
        cause = AttemptCause(rawValue: try elements[5].text()) ?? .workerLost
    }
}

/// `finish`.
struct FinishCall: FunctionCall {
    struct Reply: Equatable {
        let result: FinishResult
        let droppedDeadLetters: Int
    }

    static let function = FunctionLibrary.Function.finish
    let partition: Int
    let keys: [String]
    let arguments: [String]

    /// With `reason`, the input of the request becomes a dead letter.
    init(
        _ attempt: FinishedAttempt,
        at place: FinishPlace,
        by consumer: String,
        deadLetter reason: DeadLetterReason?,
        _ keyspace: Keyspace,
        _ retention: Retention
    ) {
        let request = attempt.claim.request
        partition = keyspace.partition(of: request.conversationID)
        keys = keyspace.scope(of: request.conversationID) + (reason == nil ? [] : [keyspace.dead(partition)])
        let sequence =
            switch place {
            case .id(let event): String(event.sequence)
            case .afterLast: ""
            }
        arguments =
            [
                Keyspace.group,
                consumer,
                attempt.claim.delivery.entry,
                String(attempt.claim.attempt),
                sequence,
                attempt.outcome.eventName.rawValue,
                String(decoding: EventData.terminal(attempt, at: place), as: UTF8.self),
                request.correlationID.description,
                attempt.outcome.status.rawValue,
                String(retention.afterEnd.wholeMilliseconds),
                String(retention.turns),
                String(retention.turnBytes),
                reason?.rawValue ?? "",
                String(retention.deadLetters),
                attempt.answer ?? "",
            ] + RequestHash.fields(of: attempt)
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Reply {
        let elements = try reply.list(ofAtLeast: 2)
        let dropped = try elements[1].number()
        switch elements[0].string {
        case "finished": return Reply(result: .finished, droppedDeadLetters: dropped)
        case "superseded": return Reply(result: .superseded, droppedDeadLetters: dropped)
        case "history_lost": return Reply(result: .historyLost, droppedDeadLetters: dropped)
        case _: throw UnexpectedReply()
        }
    }
}
