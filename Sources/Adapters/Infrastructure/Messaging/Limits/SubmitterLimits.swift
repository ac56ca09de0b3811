internal import Application
internal import Domain
internal import Shared
internal import Text

/// The limits of one submitter with their counters, all of which are in the slot of its account.
struct SubmitterLimits {
    /// Rates first: a caller that is too fast costs no more than that check.
    let limits: [CountedLimit]
    let keys: CounterKeys
    /// Nil where no limit of tokens applies.
    let reservation: TokenReservation?

    /// ``UserID/anonymous`` is limited by address, without a limit of active requests.
    init(of submitter: Submitter, _ common: SubmissionLimits, _ keyspace: Keyspace) {
        let isAnonymous = submitter.user == .anonymous
        let subject: Fingerprint = isAnonymous ? .address(submitter.address) : .user(submitter.user)
        // The end users of an account are in its slot, because they share the counters of its keys.
        let account = isAnonymous ? nil : submitter.user.account.map { UserID($0) }
        let owner = account.map { $0 == submitter.user ? subject : .user($0) } ?? subject
        let keys = keyspace.counters(of: owner)
        var (rates, sets, budgets): ([CountedLimit], [CountedLimit], [CountedLimit]) = ([], [], [])
        var reserved: [String] = []
        func add(_ name: String, _ subject: Fingerprint, _ rate: RequestRate?, _ active: Int?, _ tokens: Int?) {
            let digest = CounterKeys.name(subject)
            if let rate { rates.append(.init(name: name, counter: keys.rate(digest), rule: .rate(rate))) }
            if let active { sets.append(.init(name: name, counter: keys.active(digest), rule: .active(active))) }
            if let tokens {
                budgets.append(.init(name: name, counter: keys.tokens(digest), rule: .tokens(tokens)))
                reserved.append(digest)
            }
        }
        add(isAnonymous ? "address" : "user", subject, common.rate, isAnonymous ? nil : common.active, common.tokens)
        if let key = submitter.key {
            let own = key.limits
            add("key", .key(key.id), own.requestsPerMinute.map { .perMinute($0) }, own.maxActive, own.tokensPerDay)
        }
        limits = rates + sets + budgets
        self.keys = keys
        reservation = reserved.isEmpty ? nil : TokenReservation(lane: keys.lane, counters: reserved)
    }
}

/// The limits that apply to every user; nil where one is off.
package struct SubmissionLimits: Sendable {
    package var rate: RequestRate?
    /// Requests queued or running.
    package var active: Int?
    /// Provider tokens per UTC day.
    package var tokens: Int?

    package init(rate: RequestRate? = nil, active: Int? = nil, tokens: Int? = nil) {
        self.rate = rate
        self.active = active
        self.tokens = tokens
    }
}

extension TokenReservation {
    /// `<lane> <digest> …`: the lane decides the partition, a digest names the counter of a user, address or key.
    fileprivate init(lane: UInt16, counters: [String]) {
        self.init(([String(lane, radix: 16)] + counters).joined(separator: " "))
    }

    /// The counters that hold the reservation; nil for a text of another form.
    func counters(_ keyspace: Keyspace) -> (partition: Int, keys: [String])? {
        let parts = text.split(separator: " ")
        guard parts.count > 1, let lane = UInt16(parts[0], radix: 16) else { return nil }
        let keys = keyspace.counters(inLane: lane)
        return (keys.partition, parts.dropFirst().map { keys.tokens(String($0)) })
    }
}

extension Fingerprint {
    /// Each kind of subject has a prefix of its own, so that no name of one is a name of another.
    private static func of(_ kind: String, _ name: String) -> Fingerprint {
        SHA256Fingerprinting().fingerprint("\(kind)\n\(name)")
    }

    fileprivate static func user(_ id: UserID) -> Fingerprint { of("user", id.text) }
    fileprivate static func key(_ id: APIKeyID) -> Fingerprint { of("key", id.description) }
    static func email(_ address: EmailAddress) -> Fingerprint { of("email", address.canonical) }

    /// An IPv6 address counts by its first 64 bits.
    static func address(_ address: String) -> Fingerprint {
        of("address", ClientNetwork(address)?.description ?? address)
    }
}
