internal import Application
package import Shared

/// Every key and channel name in Redis: the one place that builds them.
///
/// The partition is the hash tag, so that all keys of a request live in one slot of a cluster, and one function can
/// change them together.
package struct Keyspace: Sendable {
    /// The consumer group of the workers.
    package static let group = "workers"

    /// How many partitions there are, each with a job stream of its own; at least 1.
    package let partitions: Int

    package init(partitions: Int) {
        precondition(partitions > 0, "the keyspace needs at least one partition")
        self.partitions = partitions
    }

    /// The partition of a request, from its random bits.
    package func partition(of id: CorrelationID) -> Int { Int(id.bits.low % UInt64(partitions)) }

    func jobs(_ partition: Int) -> String { "lemma:{p\(partition)}:jobs" }
    func dead(_ partition: Int) -> String { "lemma:{p\(partition)}:dead" }
    func delayed(_ partition: Int) -> String { "lemma:{p\(partition)}:delayed" }
    func watched(_ partition: Int) -> String { "lemma:{p\(partition)}:watched" }
    func control(_ partition: Int) -> String { "lemma:{p\(partition)}:control" }
    func request(_ id: CorrelationID) -> String { "lemma:{p\(partition(of: id))}:request:\(id)" }
    func events(_ id: CorrelationID) -> String { "lemma:{p\(partition(of: id))}:events:\(id)" }
    func viewers(_ id: CorrelationID) -> String { "lemma:{p\(partition(of: id))}:viewers:\(id)" }
    func live(_ id: CorrelationID) -> String { "lemma:{p\(partition(of: id))}:live:\(id)" }

    func idempotency(_ name: Fingerprint, beside id: CorrelationID) -> String {
        "lemma:{p\(partition(of: id))}:idempotency:\(name)"
    }

    /// The request a live channel belongs to: its last 36 bytes.
    func request(ofLive channel: UnsafeRawBufferPointer) -> CorrelationID? {
        guard channel.count > 36 else { return nil }
        return channel.withMemoryRebound(to: UInt8.self) { CorrelationID(ascii: $0.span.extracting(last: 36)) }
    }
}
