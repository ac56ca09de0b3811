internal import Application
internal import Domain
internal import RedisClient
internal import Time

/// `acknowledge_records`; the number of deleted entries.
struct AcknowledgeRecordsCall: FunctionCall {
    static let function = FunctionLibrary.Function.acknowledgeRecords
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(_ records: some Sequence<QueuedRecord>, in partition: Int, _ keyspace: Keyspace, _ retention: Retention) {
        var keys = [keyspace.finished(partition)]
        var arguments = [Keyspace.persisters, String(retention.afterEnd.wholeMilliseconds)]
        for record in records {
            let conversation = record.entry.request.conversationID
            keys += [keyspace.conversation(conversation), keyspace.turns(conversation)]
            arguments += [record.name, record.entry.isEnd ? "1" : "0"]
        }
        self.partition = partition
        self.keys = keys
        self.arguments = arguments
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Int { try reply.number() }
}

extension ArchiveEntry {
    fileprivate var isEnd: Bool {
        switch self {
        case .submitted: false
        case .finished: true
        }
    }
}

/// `dead_letter_record`; the number of dropped dead letters.
struct DeadLetterRecordCall: FunctionCall {
    enum Reason: String {
        /// No release can read the record.
        case malformed
        /// The database rejects it.
        case refused
    }

    static let function = FunctionLibrary.Function.deadLetterRecord
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(
        _ entry: String,
        in partition: Int,
        _ reason: Reason,
        detail: String,
        _ keyspace: Keyspace,
        _ retention: Retention
    ) {
        self.partition = partition
        keys = [keyspace.finished(partition), keyspace.finishedDead(partition)]
        arguments = [Keyspace.persisters, entry, reason.rawValue, detail, String(retention.deadLetters)]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Int { try reply.number() }
}

/// `redrive_record`.
struct RedriveRecordCall: FunctionCall {
    static let function = FunctionLibrary.Function.redriveRecord
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(_ name: DeadLetterName, _ keyspace: Keyspace) {
        partition = name.partition
        keys = [keyspace.finished(name.partition), keyspace.finishedDead(name.partition)]
        arguments = [name.entry]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> RedriveResult { try RedriveResult(reply) }
}

/// `record_backlog`.
struct RecordBacklogCall: FunctionCall {
    static let function = FunctionLibrary.Function.recordBacklog
    let partition: Int
    let keys: [String]
    let arguments: [String] = []

    init(in partition: Int, _ keyspace: Keyspace) {
        self.partition = partition
        keys = [keyspace.finished(partition)]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> RecordBacklog {
        let elements = try reply.list(ofAtLeast: 2)
        return RecordBacklog(records: try elements[0].number(), age: .milliseconds(try elements[1].number()))
    }
}
