internal import Application
internal import Domain
internal import RedisClient
internal import Shared

/// `cancel`.
struct CancelCall: FunctionCall {
    static let function = FunctionLibrary.Function.cancel
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(_ request: MathRequest, _ reason: CancelReason, _ keyspace: Keyspace, _ retention: Retention) {
        partition = keyspace.partition(of: request.conversationID)
        keys = keyspace.scope(of: request.conversationID)
        arguments =
            [Keyspace.group, request.correlationID.description]
            + StopTerms(reason, in: partition, keyspace, retention).arguments
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> StopReply { try StopReply(reply) }
}

/// `read_request`; nil for an unknown request and for a hash that cannot be read.
struct ReadRequestCall: FunctionCall {
    static let function = FunctionLibrary.Function.readRequest
    let partition: Int
    let keys: [String]
    let arguments: [String]
    private let id: CorrelationID

    init(_ id: CorrelationID, _ keyspace: Keyspace) {
        self.id = id
        partition = keyspace.partition(of: id)
        keys = [keyspace.request(id)]
        arguments = [keyspace.conversations(partition)]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> RequestRecord? {
        let elements = try reply.list(ofAtLeast: 2)
        var record = RequestHash.record(id, elements[1].fields)
        record?.isDeleted = try elements[0].number() == 1
        return record
    }
}

/// `read_statuses`; nil for an unknown request.
struct ReadStatusesCall: FunctionCall {
    static let function = FunctionLibrary.Function.readStatuses
    let partition: Int
    let keys: [String]
    let arguments: [String] = []

    /// The requests are all in `partition`.
    init(of ids: [CorrelationID], in partition: Int, _ keyspace: Keyspace) {
        self.partition = partition
        keys = ids.map { keyspace.request($0) }
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> [RequestStatus?] {
        let statuses = try reply.list()
        guard statuses.count == keys.count else { throw UnexpectedReply() }
        return statuses.map { $0.string.flatMap { RequestStatus(rawValue: $0) } }
    }
}
