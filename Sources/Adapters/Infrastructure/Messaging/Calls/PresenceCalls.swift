internal import Domain
internal import RedisClient
internal import Shared
internal import Time

/// `renew_presence`.
struct RenewPresenceCall: FunctionCall {
    static let function = FunctionLibrary.Function.renewPresence
    let partition: Int
    let keys: [String]
    let arguments: [String]

    /// `watcher` has viewers of the requests for the next `presence`; `timeToLive` is the expiry of the set `watched`.
    init(
        of watcher: String,
        for ids: [CorrelationID],
        in partition: Int,
        presence: Duration,
        grace: Duration,
        timeToLive: Duration,
        _ keyspace: Keyspace
    ) {
        self.partition = partition
        keys = [keyspace.watched(partition)] + ids.flatMap { [keyspace.request($0), keyspace.viewers($0)] }
        arguments =
            [
                watcher,
                String(presence.wholeMilliseconds),
                String(grace.wholeMilliseconds),
                String(timeToLive.wholeMilliseconds),
            ] + ids.map(\.description)
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) { _ = try reply.number() }
}

/// `remove_presence`; true if the watcher was present.
struct RemovePresenceCall: FunctionCall {
    static let function = FunctionLibrary.Function.removePresence
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(of watcher: String, from id: CorrelationID, grace: Duration, _ keyspace: Keyspace) {
        partition = keyspace.partition(of: id)
        keys = [keyspace.watched(partition), keyspace.request(id), keyspace.viewers(id)]
        arguments = [watcher, String(grace.wholeMilliseconds), id.description]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Bool { try reply.number() == 1 }
}

/// `list_abandoned`.
struct ListAbandonedCall: FunctionCall {
    struct Page: Equatable {
        /// Requests that have or had viewers.
        let watched: Int
        /// In milliseconds of the server's clock.
        let time: Int
        let abandoned: [CorrelationID]
    }

    static let function = FunctionLibrary.Function.listAbandoned
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(in partition: Int, upTo count: Int, _ keyspace: Keyspace) {
        self.partition = partition
        keys = [keyspace.watched(partition)]
        arguments = [String(count)]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Page {
        let elements = try reply.list(ofAtLeast: 2)
        return Page(
            watched: try elements[0].number(),
            time: try elements[1].number(),
            abandoned: elements.dropFirst(2).compactMap { $0.string.flatMap { CorrelationID($0) } },
        )
    }
}

/// `cancel_abandoned`.
struct CancelAbandonedCall: FunctionCall {
    static let function = FunctionLibrary.Function.cancelAbandoned
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(_ id: CorrelationID, of conversation: ConversationID, _ keyspace: Keyspace, _ retention: Retention) {
        partition = keyspace.partition(of: id)
        keys = keyspace.scope(of: conversation) + [keyspace.watched(partition), keyspace.viewers(id)]
        arguments =
            [Keyspace.group, id.description]
            + StopTerms(.disconnected, in: partition, keyspace, retention).arguments
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> StopReply { try StopReply(reply) }
}
