/// A consumer group, and the stream of each partition that it reads.
struct ConsumerGroup: Sendable {
    let name: String
    /// The key of a partition's stream.
    let stream: @Sendable (Int) -> String

    /// The workers, on the job streams.
    static func workers(_ keys: Keyspace) -> ConsumerGroup {
        ConsumerGroup(name: Keyspace.group) { keys.jobs($0) }
    }

    /// The persisters, on the streams of records for the archive.
    static func persisters(_ keys: Keyspace) -> ConsumerGroup {
        ConsumerGroup(name: Keyspace.persisters) { keys.finished($0) }
    }
}
