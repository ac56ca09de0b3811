internal import RedisClient
internal import Shared
internal import Time

/// A request that waits in the queue of its conversation.
struct WaitingRequest: Equatable {
    let conversation: ConversationID
    let id: CorrelationID

    /// Reads a member `<conversation> <id>`; nil for any other text.
    init?(_ member: String) {
        let words = member.split(separator: " ")
        guard words.count == 2, let conversation = ConversationID(words[0]), let id = CorrelationID(words[1]) else {
            return nil
        }
        self.conversation = conversation
        self.id = id
    }
}

/// `list_waiting`; members that no release has written are left out.
struct ListWaitingCall: FunctionCall {
    static let function = FunctionLibrary.Function.listWaiting
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(in partition: Int, notRenewedFor age: Duration, upTo count: Int, _ keyspace: Keyspace) {
        self.partition = partition
        keys = [keyspace.waiting(partition)]
        arguments = [String(age.wholeMilliseconds), String(count)]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> [WaitingRequest] {
        try reply.list().compactMap { $0.string.flatMap { WaitingRequest($0) } }
    }
}

/// `renew_waiting`; the number of requests that expired in the queue.
struct RenewWaitingCall: FunctionCall {
    static let function = FunctionLibrary.Function.renewWaiting
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(_ request: WaitingRequest, _ keyspace: Keyspace, _ retention: Retention) {
        partition = keyspace.partition(of: request.conversation)
        keys = keyspace.scope(of: request.conversation)
        arguments = [Keyspace.group, request.id.description, String(retention.live.wholeMilliseconds)]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Int { try reply.number() }
}
