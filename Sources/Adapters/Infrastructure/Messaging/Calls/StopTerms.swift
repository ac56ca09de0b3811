internal import Domain
internal import RedisClient
internal import Time

/// The arguments of the library's `stop`, which ends requests of one partition, and what it returns.
struct StopTerms {
    let arguments: [String]

    init(_ reason: CancelReason, in partition: Int, _ keyspace: Keyspace, _ retention: Retention) {
        arguments = [
            reason.rawValue,
            keyspace.control(partition),
            EventData.cancelledBetweenAttempts(reason).text,
            String(retention.afterEnd.wholeMilliseconds),
            String(retention.turns),
            String(retention.turnBytes),
        ]
    }
}

/// What `stop` did with a request.
enum StopReply: Equatable {
    /// This call ended it, so long after its submission.
    case ended(after: Duration)
    /// It had ended before.
    case over
    /// Its worker is asked to end it.
    case asked
    case unknown
    /// A viewer has come back, so nothing was done; `cancel_abandoned` only.
    case watched

    init(_ reply: RedisValue) throws(UnexpectedReply) {
        let elements = try reply.list(ofAtLeast: 1)
        switch elements[0].string {
        case "ended" where elements.count == 2: self = .ended(after: .milliseconds(try elements[1].number()))
        case "over": self = .over
        case "asked": self = .asked
        case "unknown": self = .unknown
        case "watched": self = .watched
        case _: throw UnexpectedReply()
        }
    }
}

/// Requests that one call ended.
struct EndedRequests: Equatable {
    static let none = EndedRequests(count: 0, ageSum: .zero)

    let count: Int
    /// The sum of the times since their submissions.
    let ageSum: Duration

    init(count: Int, ageSum: Duration) {
        self.count = count
        self.ageSum = ageSum
    }

    /// Decodes a number of requests and a number of milliseconds.
    init(_ count: RedisValue, _ milliseconds: RedisValue) throws(UnexpectedReply) {
        self.init(count: try count.number(), ageSum: .milliseconds(try milliseconds.number()))
    }
}
