internal import Application
internal import Domain
internal import RedisClient
internal import Shared
internal import Time

/// `renew`; the leases in the order of the deliveries.
struct RenewCall: FunctionCall {
    enum Lease: Equatable {
        case held
        case lost
        /// Held, and the job is to be cancelled.
        case cancelled(CancelReason)
    }

    static let function = FunctionLibrary.Function.renew
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(
        _ deliveries: [JobDelivery],
        of consumer: String,
        in partition: Int,
        _ keyspace: Keyspace,
        _ retention: Retention
    ) {
        self.partition = partition
        keys =
            [keyspace.jobs(partition)]
            + deliveries.flatMap { [keyspace.request($0.correlationID), keyspace.events($0.correlationID)] }
        arguments =
            [Keyspace.group, consumer, String(retention.live.wholeMilliseconds)] + deliveries.map(\.entry)
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> [Lease] {
        var leases: [Lease] = []
        for element in try reply.list() {
            switch element.string {
            case "ok": leases.append(.held)
            case "lost": leases.append(.lost)
            case let reason: leases.append(.cancelled(CancelReason(stored: reason)))
            }
        }
        return leases
    }
}

/// `take_over`; the entries as XRANGE returns them.
struct TakeOverCall: FunctionCall {
    static let function = FunctionLibrary.Function.takeOver
    let partition: Int
    let keys: [String]
    let arguments: [String]

    /// `silence` is the idle time after which an entry is transferred.
    init(in group: ConsumerGroup, of partition: Int, to consumer: String, after silence: Duration, upTo count: Int) {
        self.partition = partition
        keys = [group.stream(partition)]
        arguments = [group.name, consumer, String(silence.wholeMilliseconds), String(count)]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> [RedisValue] { try reply.list() }
}

/// `release`; the number of released jobs.
struct ReleaseCall: FunctionCall {
    /// The idle time of a released entry, which makes it due for a take-over at once.
    static let idle = Duration.seconds(86_400)

    static let function = FunctionLibrary.Function.release
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(_ deliveries: [JobDelivery], of consumer: String, in partition: Int, _ keyspace: Keyspace) {
        self.partition = partition
        keys = [keyspace.jobs(partition)] + deliveries.map { keyspace.request($0.correlationID) }
        arguments = [Keyspace.group, consumer, String(Self.idle.wholeMilliseconds)] + deliveries.map(\.entry)
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Int { try reply.number() }
}

/// `remove_idle_consumers`; the number of removed consumers.
struct RemoveIdleConsumersCall: FunctionCall {
    static let function = FunctionLibrary.Function.removeIdleConsumers
    let partition: Int
    let keys: [String]
    let arguments: [String]

    /// Any consumer, or only the named one.
    init(of group: ConsumerGroup, in partition: Int, idleFor idle: Duration, named consumer: String? = nil) {
        self.partition = partition
        keys = [group.stream(partition)]
        arguments = [group.name, String(idle.wholeMilliseconds), consumer ?? ""]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Int { try reply.number() }
}

/// `queue_state`.
struct QueueStateCall: FunctionCall {
    struct State: Equatable {
        /// Jobs that the workers have received since the stream exists.
        let delivered: Int
        let waiting: Int
    }

    static let function = FunctionLibrary.Function.queueState
    let partition: Int
    let keys: [String]
    let arguments = [Keyspace.group]

    init(in partition: Int, _ keyspace: Keyspace) {
        self.partition = partition
        keys = [keyspace.jobs(partition)]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> State {
        let elements = try reply.list(ofAtLeast: 2)
        return State(delivered: try elements[0].number(), waiting: try elements[1].number())
    }
}

/// `queue_statistics`.
struct QueueStatisticsCall: FunctionCall {
    /// Claimed jobs that are examined.
    private static let claimsMax = 100

    static let function = FunctionLibrary.Function.queueStatistics
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(of partition: Int, _ keyspace: Keyspace) {
        self.partition = partition
        keys = [
            keyspace.jobs(partition), keyspace.delayed(partition), keyspace.dead(partition),
            keyspace.waiting(partition),
        ]
        arguments = [Keyspace.group, String(ReleaseCall.idle.wholeMilliseconds), String(Self.claimsMax)]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> QueueLevels {
        let elements = try reply.list(ofAtLeast: 7)
        return QueueLevels(
            waiting: try elements[0].number(),
            claimed: try elements[1].number(),
            delayed: try elements[2].number(),
            dead: try elements[3].number(),
            inConversationQueues: try elements[4].number(),
            oldestWaiting: .milliseconds(try elements[5].number()),
            longestSilence: .milliseconds(try elements[6].number()),
        )
    }
}
