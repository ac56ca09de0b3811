internal import Application
internal import Domain
internal import RedisClient
internal import Shared
internal import Time

/// `schedule_retry`.
struct ScheduleRetryCall: FunctionCall {
    static let function = FunctionLibrary.Function.scheduleRetry
    let partition: Int
    let keys: [String]
    let arguments: [String]

    /// `answer` is the text of the attempt that ends.
    init(
        _ claim: JobClaim,
        after pause: Duration,
        _ reason: RestartReason,
        _ failure: RequestFailure,
        answer: String,
        by consumer: String,
        attemptsMax: Int,
        _ keyspace: Keyspace
    ) {
        let id = claim.request.correlationID
        partition = keyspace.partition(of: id)
        keys = [keyspace.jobs(partition), keyspace.request(id), keyspace.events(id), keyspace.delayed(partition)]
        arguments = [
            Keyspace.group,
            consumer,
            claim.delivery.entry,
            String(claim.attempt),
            String(pause.wholeMilliseconds),
            String(attemptsMax),
            id.description,
            claim.request.requestedProvider ?? "",
            reason.rawValue,
            failure.kind.rawValue,
            failure.detail,
            answer,
        ]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> RetryResult {
        switch reply.string {
        case "postponed": return .scheduled
        case "superseded": return .superseded
        case "cancelled": return .cancelled
        case "exhausted": return .exhausted
        case _: throw UnexpectedReply()
        }
    }
}

/// `enqueue_due`; the number of enqueued requests.
struct EnqueueDueCall: FunctionCall {
    static let function = FunctionLibrary.Function.enqueueDue
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(in partition: Int, upTo count: Int, _ keyspace: Keyspace) {
        self.partition = partition
        keys = [keyspace.jobs(partition), keyspace.delayed(partition), keyspace.requests(partition)]
        arguments = [String(count)]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Int { try reply.number() }
}
