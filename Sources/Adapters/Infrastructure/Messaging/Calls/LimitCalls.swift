internal import Application
internal import RedisClient
internal import Shared
internal import Time

/// `charge_limits`.
struct ChargeLimitsCall: FunctionCall {
    enum Reply: Equatable {
        /// With the standing of each rate, in the order of the limits.
        case charged([Standing])
        /// A rate or a budget is used up; `index` is the limit's.
        case refused(index: Int, retryAfter: Duration)
        /// Sets of active requests are full, at the server's time in milliseconds.
        case full(time: Int, [FullSet])
    }

    struct FullSet: Equatable {
        /// Of the limit.
        let index: Int
        /// The oldest ones.
        let members: [ActiveMember]
    }

    struct Standing: Equatable {
        let remaining: Int
        let resetAfter: Duration
    }

    static let function = FunctionLibrary.Function.chargeLimits
    let partition: Int
    let keys: [String]
    let arguments: [String]

    /// `request` identifies the charge; a nil `day` is that of the server's clock.
    init(_ limits: [CountedLimit], in partition: Int, request: String, tokens: Int, day: UTCDay? = nil) {
        self.partition = partition
        keys = limits.map(\.counter)
        arguments =
            [request, String(tokens), day.map { String($0.number) } ?? ""] + limits.flatMap { $0.rule.arguments }
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Reply {
        let elements = try reply.list(ofAtLeast: 1)
        let rest = elements.dropFirst()
        switch elements[0].string {
        case "ok" where rest.count % 2 == 0:
            return .charged(
                try pairs(rest) { (remaining, reset) throws(UnexpectedReply) in
                    Standing(remaining: try remaining.number(), resetAfter: .milliseconds(try reset.number()))
                }
            )
        case "refused" where rest.count == 2:
            let index = try index(elements[1])
            return .refused(index: index, retryAfter: .milliseconds(try elements[2].number()))
        case "full" where rest.count > 1:
            var sets: [FullSet] = []
            for set in rest.dropFirst() { sets.append(try fullSet(set)) }
            return .full(time: try elements[1].number(), sets)
        case _: throw UnexpectedReply()
        }
    }

    private func fullSet(_ reply: RedisValue) throws(UnexpectedReply) -> FullSet {
        let elements = try reply.list(ofAtLeast: 1)
        guard elements.count % 2 == 1 else { throw UnexpectedReply() }
        let members = try pairs(elements.dropFirst()) { (id, time) throws(UnexpectedReply) in
            ActiveMember(id: try id.text(), admittedAt: try time.number())
        }
        return FullSet(index: try index(elements[0]), members: members)
    }

    private func index(_ value: RedisValue) throws(UnexpectedReply) -> Int {
        let index = try value.number()
        guard keys.indices.contains(index) else { throw UnexpectedReply() }
        return index
    }

    private func pairs<Element>(
        _ values: ArraySlice<RedisValue>,
        _ element: (RedisValue, RedisValue) throws(UnexpectedReply) -> Element
    ) throws(UnexpectedReply) -> [Element] {
        var elements: [Element] = []
        for index in stride(from: values.startIndex, to: values.endIndex, by: 2) {
            elements.append(try element(values[index], values[index + 1]))
        }
        return elements
    }
}

/// A request in a set of active requests.
struct ActiveMember: Equatable {
    let id: String
    /// In milliseconds of the server's clock.
    let admittedAt: Int
}

extension CountedLimit.Rule {
    /// Kind, quota, and the interval of a rate in microseconds.
    fileprivate var arguments: [String] {
        switch self {
        case .rate(let rate): ["rate", String(rate.count), String(rate.intervalMicroseconds)]
        case .active(let quota): ["active", String(quota), "0"]
        case .tokens(let quota): ["tokens", String(quota), "0"]
        }
    }
}

/// `settle_tokens`; the number of reservations that it settled.
struct SettleTokensCall: FunctionCall {
    struct Settlement: Equatable {
        /// The key of a counter of tokens.
        let counter: String
        let request: CorrelationID
        let tokensUsed: Int
    }

    static let function = FunctionLibrary.Function.settleTokens
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(_ settlements: some Sequence<Settlement>, in partition: Int) {
        self.partition = partition
        keys = settlements.map(\.counter)
        arguments = settlements.flatMap { [$0.request.description, String($0.tokensUsed)] }
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Int { try reply.number() }
}
