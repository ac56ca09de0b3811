package import EventLoop
package import RedisClient

/// One Redis server that has all partitions, which share one connection for commands.
package final class SingleServer: RedisTopology {
    package let servers: [PartitionServer]

    private let configuration: RedisConfiguration
    private let loop: Loop
    private let connection: PartitionConnection

    /// Starts to connect at once.
    package init(_ configuration: RedisConfiguration, keys: Keyspace, on loop: Loop, observer: (any RedisObserver)?) {
        self.configuration = configuration
        self.loop = loop
        servers = [PartitionServer(partitions: Array(0..<keys.partitions), configuration: configuration)]
        let check = ConnectionCheck(keys: keys, functions: .current, partition: 0)
        connection = PartitionConnection(
            configuration,
            on: loop,
            observer: observer,
        ) { connection async throws(RedisError) in try await check.run(on: connection) }
    }

    package func connection(of partition: Int) -> PartitionConnection { connection }

    package func openSubscriber(
        delegate: any RedisSubscriberDelegate,
        observer: (any RedisObserver)?,
    ) -> any PartitionSubscriber {
        RedisSubscriber(configuration, on: loop, delegate: delegate, observer: observer)
    }

    package var pendingCommands: Int { connection.pendingCommands }

    package func close() { connection.close() }
}

/// The channels of all partitions are on the subscriber's one server.
extension RedisSubscriber: PartitionSubscriber {
    package func subscribe(to channel: String, in partition: Int, deadline: Duration) async throws(RedisError) {
        try await subscribe(to: channel, .sharded, deadline: deadline)
    }

    package func subscribe(
        to channel: String,
        in partition: Int,
        deadline: Duration,
        _ completion: @escaping (Result<Void, RedisError>) -> Void,
    ) {
        subscribe(to: channel, .sharded, deadline: deadline, completion)
    }

    package func unsubscribe(from channel: String, in partition: Int) { unsubscribe(from: channel) }
}
