package import RedisClient

/// The servers that hold the partitions, as one loop reaches them.
///
/// Callers ask for the connection or the subscription of a partition and never for a server's. Loop-owned.
package protocol RedisTopology: AnyObject {
    /// The connection for commands on keys of a partition.
    ///
    /// The object stays the same when the partition moves to another server; its generation changes then.
    func connection(of partition: Int) -> PartitionConnection

    /// The servers with the partitions that each one has: a blocking read covers the partitions of one server.
    ///
    /// Every partition is in exactly one of them.
    var servers: [PartitionServer] { get }

    /// Opens connections of their own for the channels of all partitions.
    func openSubscriber(
        delegate: any RedisSubscriberDelegate,
        observer: (any RedisObserver)?,
    ) -> any PartitionSubscriber

    /// Commands on all connections that Redis has not answered.
    var pendingCommands: Int { get }

    /// Closes the connections for commands; idempotent.
    func close()
}

/// A server, and the partitions that it has.
package struct PartitionServer: Sendable {
    /// At least one, in ascending order.
    package let partitions: [Int]
    /// For a further connection to this server.
    package let configuration: RedisConfiguration

    package init(partitions: [Int], configuration: RedisConfiguration) {
        precondition(!partitions.isEmpty, "a server without partitions")
        self.partitions = partitions
        self.configuration = configuration
    }
}

/// Subscribes to channels of all partitions; its delegate gets the messages.
package protocol PartitionSubscriber: AnyObject {
    /// Subscribes to a channel of a partition and waits for the confirmation of Redis, at most `deadline`.
    func subscribe(to channel: String, in partition: Int, deadline: Duration) async throws(RedisError)

    /// Subscribes; `completion` gets the confirmation of Redis or, at the latest after `deadline`, the failure.
    func subscribe(
        to channel: String,
        in partition: Int,
        deadline: Duration,
        _ completion: @escaping (Result<Void, RedisError>) -> Void,
    )

    func unsubscribe(from channel: String, in partition: Int)

    /// Closes the connections and releases the delegate; idempotent.
    func close()
}
