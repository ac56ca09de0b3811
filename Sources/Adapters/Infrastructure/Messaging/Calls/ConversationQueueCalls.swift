internal import Domain
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

/// `waiting_places`.
struct WaitingPlacesCall: FunctionCall {
    /// Where a request is, in the order of the requests.
    enum Place: Equatable {
        /// It has a job, with this number in the job queue.
        case job(Int)
        /// In the conversation queue; 1 is next.
        case line(Int)
        /// In neither: it is over, or expired.
        case nowhere
    }

    struct Reply: Equatable {
        let queue: QueueStateCall.State
        let places: [Place]
    }

    static let function = FunctionLibrary.Function.waitingPlaces
    let partition: Int
    let keys: [String]
    let arguments: [String]

    /// All requests are in `partition`.
    init(of requests: [MathRequest], in partition: Int, _ keyspace: Keyspace) {
        self.partition = partition
        keys =
            [keyspace.jobs(partition)]
            + requests.flatMap { [keyspace.request($0.correlationID), keyspace.line($0.conversationID)] }
        arguments = [Keyspace.group] + requests.map(\.correlationID.description)
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Reply {
        let elements = try reply.list(ofAtLeast: 2)
        var places: [Place] = []
        for index in stride(from: 2, to: elements.count - 1, by: 2) {
            let (number, place) = (try elements[index].number(), try elements[index + 1].number())
            places.append(number > 0 ? .job(number) : place > 0 ? .line(place) : .nowhere)
        }
        let queue = QueueStateCall.State(delivered: try elements[0].number(), waiting: try elements[1].number())
        return Reply(queue: queue, places: places)
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
