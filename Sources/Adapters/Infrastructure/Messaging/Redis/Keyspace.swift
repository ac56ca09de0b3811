internal import Application
internal import Cryptography
package import Shared

/// Builds every key and channel name in Redis; no other file does.
///
/// The partition is the hash tag, so that all keys of a request are in one slot of a cluster and one function can change
/// them together.
package struct Keyspace: Sendable {
    /// The consumer groups of the workers and of the persisters.
    package static let group = "workers"
    static let persisters = "persisters"

    /// The number of partitions, each with a job stream of its own; at least 1.
    package let partitions: Int

    package init(partitions: Int) {
        precondition(partitions > 0, "the keyspace needs at least one partition")
        self.partitions = partitions
    }

    /// The partition of a request or conversation, from its lane.
    ///
    /// A request has the lane of its conversation.
    package func partition(of id: some UUIDIdentifier) -> Int { partition(of: id.bits.lane) }
    private func partition(of lane: UInt16) -> Int { Int(lane) % partitions }

    func jobs(_ partition: Int) -> String { "lemma:{p\(partition)}:jobs" }
    func dead(_ partition: Int) -> String { "lemma:{p\(partition)}:dead" }
    func delayed(_ partition: Int) -> String { "lemma:{p\(partition)}:delayed" }
    func watched(_ partition: Int) -> String { "lemma:{p\(partition)}:watched" }
    func control(_ partition: Int) -> String { "lemma:{p\(partition)}:control" }
    func finished(_ partition: Int) -> String { "lemma:{p\(partition)}:finished" }
    func finishedDead(_ partition: Int) -> String { "lemma:{p\(partition)}:finished-dead" }
    func waiting(_ partition: Int) -> String { "lemma:{p\(partition)}:waiting" }
    func unfinished(_ partition: Int) -> String { "lemma:{p\(partition)}:unfinished" }
    /// Written by readiness and by the check of a fresh connection only.
    func probe(_ partition: Int) -> String { "lemma:{p\(partition)}:probe" }
    /// A channel for the check of permissions only.
    func probeChannel(_ partition: Int) -> String { "\(live(partition))probe" }
    /// The prefix of the keys of all requests, and of all conversations.
    func requests(_ partition: Int) -> String { "lemma:{p\(partition)}:request:" }
    /// The pattern of the keys of all requests, for SCAN.
    var everyRequest: String { "lemma:{p*}:request:*" }
    func conversations(_ partition: Int) -> String { "lemma:{p\(partition)}:conversation:" }
    private func events(_ partition: Int) -> String { "lemma:{p\(partition)}:events:" }
    private func live(_ partition: Int) -> String { "lemma:{p\(partition)}:live:" }
    private func ended(_ partition: Int) -> String { "lemma:{p\(partition)}:ended:" }
    func request(_ id: CorrelationID) -> String { "\(requests(partition(of: id)))\(id)" }
    func events(_ id: CorrelationID) -> String { "\(events(partition(of: id)))\(id)" }
    func live(_ id: CorrelationID) -> String { "\(live(partition(of: id)))\(id)" }
    /// The channel on which the end of a request is published, without any event.
    func ended(_ id: CorrelationID) -> String { "\(ended(partition(of: id)))\(id)" }
    func viewers(_ partition: Int) -> String { "lemma:{p\(partition)}:viewers:" }
    func viewers(_ id: CorrelationID) -> String { "\(viewers(partition(of: id)))\(id)" }
    /// The channel of notices that a record of a conversation is archived; the function library builds it, too.
    func archived(_ id: ConversationID) -> String { "lemma:{p\(partition(of: id))}:kept:\(id)" }
    func conversation(_ id: ConversationID) -> String { "\(conversations(partition(of: id)))\(id)" }
    func turns(_ id: ConversationID) -> String { "lemma:{p\(partition(of: id))}:turns:\(id)" }
    func line(_ id: ConversationID) -> String { "lemma:{p\(partition(of: id))}:line:\(id)" }

    /// The keys of the submission under a client's idempotency key: beside the conversation, and in the key's own partition
    /// as long as no conversation is known.
    func submission(_ name: Fingerprint, beside conversation: ConversationID) -> SubmissionKeys {
        SubmissionKeys(name, in: partition(of: conversation))
    }
    func submission(_ name: Fingerprint) -> SubmissionKeys { SubmissionKeys(name, in: partition(of: name.lane)) }

    /// The keys of a limit's counters, in the partition of the caller that they belong to.
    func counters(of caller: Fingerprint) -> CounterKeys { CounterKeys(in: partition(of: caller.lane), caller.lane) }
    func counters(inLane lane: UInt16) -> CounterKeys { CounterKeys(in: partition(of: lane), lane) }

    /// SCOPE of the function library: the keys of a conversation, and the prefixes of those of its requests.
    func scope(of id: ConversationID) -> [String] {
        let partition = partition(of: id)
        return [
            jobs(partition), waiting(partition), finished(partition), unfinished(partition), conversation(id),
            line(id), turns(id), requests(partition), events(partition), live(partition), ended(partition),
        ]
    }

    /// The subject of a push channel, from the last letter of its last word and the id behind it; nil for another channel.
    func pushChannel(_ channel: Span<UInt8>) -> PushChannel? {
        let letter = channel.count - Self.idBytes - 2
        guard letter > 0 else { return nil }
        let id = channel.extracting(last: Self.idBytes)
        return switch channel[letter] {
        case UInt8(ascii: "e"): CorrelationID(ascii: id).map { .live($0) }
        case UInt8(ascii: "d"): CorrelationID(ascii: id).map { .ended($0) }
        case UInt8(ascii: "t"): ConversationID(ascii: id).map { .archived($0) }
        case _: nil
        }
    }

    /// Of an id's text.
    private static let idBytes = 36
}

/// What is published on a channel of the push connection.
enum PushChannel: Equatable {
    /// The events of a request.
    case live(CorrelationID)
    /// The end of a request.
    case ended(CorrelationID)
    /// The archive of records of a conversation.
    case archived(ConversationID)
}

/// The keys of a submission under one client's idempotency key.
struct SubmissionKeys {
    /// Bytes of the digest in the key, which make collisions between the names of a user improbable.
    private static let digestBytes = 16

    let partition: Int
    /// With the digest in base64url, because tools list keys as text.
    let once: String
    /// The format of release 1.0.
    let former: String

    /// As KEYS of the functions.
    var all: [String] { [once, former] }

    init(_ name: Fingerprint, in partition: Int) {
        self.partition = partition
        once = "lemma:{p\(partition)}:once:\(Base64URL.encode(name.bytes.prefix(Self.digestBytes)))"
        former = "lemma:{p\(partition)}:idempotency:\(name)"
    }
}

/// Builds the keys of the counters of one caller's limits; a counter has the digest of the one whose use it counts.
struct CounterKeys {
    private static let digestBytes = 16

    let partition: Int
    let lane: UInt16

    fileprivate init(in partition: Int, _ lane: UInt16) {
        self.partition = partition
        self.lane = lane
    }

    /// A digest as the keys have it.
    static func name(_ subject: Fingerprint) -> String { Base64URL.encode(subject.bytes.prefix(digestBytes)) }

    func rate(_ name: String) -> String { "lemma:{p\(partition)}:rate:\(name)" }
    func active(_ name: String) -> String { "lemma:{p\(partition)}:active:\(name)" }
    func tokens(_ name: String) -> String { "lemma:{p\(partition)}:tokens:\(name)" }
}
