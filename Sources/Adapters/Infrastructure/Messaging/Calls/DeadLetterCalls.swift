internal import Application
internal import Domain
internal import RedisClient
internal import Shared
internal import Time

/// `dead_letter_job`; the number of dropped dead letters.
struct DeadLetterJobCall: FunctionCall {
    static let function = FunctionLibrary.Function.deadLetterJob
    let partition: Int
    let keys: [String]
    let arguments: [String]

    /// `text` is what the entry holds, for operators.
    init(
        _ entry: String,
        in partition: Int,
        _ reason: DeadLetterReason,
        text: String,
        _ keyspace: Keyspace,
        _ retention: Retention
    ) {
        self.partition = partition
        keys = [keyspace.jobs(partition), keyspace.dead(partition)]
        arguments = [Keyspace.group, entry, reason.rawValue, String(retention.deadLetters), text]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Int { try reply.number() }
}

/// `fail_unreadable`.
struct FailUnreadableCall: FunctionCall {
    struct Reply: Equatable {
        /// Whether this call ended the request.
        let hasEnded: Bool
        let droppedDeadLetters: Int
    }

    static let function = FunctionLibrary.Function.failUnreadable
    let partition: Int
    let keys: [String]
    let arguments: [String]

    /// `failure` is what clients get, `detail` what operators get.
    init(
        _ delivery: JobDelivery,
        _ failure: RequestFailure,
        detail: String,
        _ keyspace: Keyspace,
        _ retention: Retention
    ) {
        let id = delivery.correlationID
        partition = keyspace.partition(of: id)
        keys = [
            keyspace.jobs(partition), keyspace.dead(partition), keyspace.request(id), keyspace.events(id),
            keyspace.unfinished(partition),
        ]
        arguments = [
            Keyspace.group,
            delivery.entry,
            id.description,
            String(retention.deadLetters),
            String(retention.afterEnd.wholeMilliseconds),
            keyspace.live(id),
            keyspace.ended(id),
            EventData.failedBetweenAttempts(failure, id).text,
            failure.kind.rawValue,
            detail,
            String(retention.turns),
            String(retention.turnBytes),
        ]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Reply {
        let elements = try reply.list(ofAtLeast: 2)
        return Reply(hasEnded: try elements[0].number() == 1, droppedDeadLetters: try elements[1].number())
    }
}

/// `redrive`.
struct RedriveCall: FunctionCall {
    static let function = FunctionLibrary.Function.redrive
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(
        _ name: DeadLetterName,
        as id: CorrelationID,
        in conversation: ConversationID,
        _ keyspace: Keyspace,
        _ retention: Retention
    ) {
        partition = name.partition
        keys = keyspace.scope(of: conversation) + [keyspace.dead(name.partition)]
        arguments = [
            Keyspace.group,
            name.entry,
            id.description,
            String(retention.live.wholeMilliseconds),
            EventData.queued(id, in: conversation).text,
        ]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> RedriveResult { try RedriveResult(reply) }
}

extension RedriveResult {
    /// Decodes what `redrive` and `redrive_record` return.
    init(_ reply: RedisValue) throws(UnexpectedReply) {
        switch reply.string {
        case "redriven": self = .redriven
        case "unknown": self = .unknown
        case "unreadable": self = .unreadable
        case "deleted": self = .conversationDeleted
        case _: throw UnexpectedReply()
        }
    }
}
