internal import RedisClient
internal import Shared

/// `mark_lost`; true if the loss is stored.
struct MarkLostCall: FunctionCall {
    /// Why an event may be at a client.
    enum Origin: String {
        /// A replica has delivered it.
        case delivered
        /// A client claims to have received it.
        case claimed
    }

    static let function = FunctionLibrary.Function.markLost
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(_ event: EventID, of id: CorrelationID, _ origin: Origin, _ keyspace: Keyspace) {
        partition = keyspace.partition(of: id)
        keys = [keyspace.request(id), keyspace.events(id)]
        arguments = [String(event.attempt), String(event.sequence), origin.rawValue]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Bool { try reply.number() == 1 }
}
