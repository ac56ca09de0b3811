import Application
import Domain
import EventLoop
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

/// Two Redis servers that have the even and the odd partitions.
private final class TwoServers: RedisTopology {
    let servers: [PartitionServer]
    private let connections: [PartitionConnection]
    private let loop: Loop

    init(_ configurations: [RedisConfiguration], keys: Keyspace, on loop: Loop) {
        self.loop = loop
        servers = configurations.indices.map { server in
            PartitionServer(
                partitions: (0..<keys.partitions).filter { $0 % 2 == server },
                configuration: configurations[server],
            )
        }
        connections = servers.map { server in
            let check = ConnectionCheck(keys: keys, functions: .current, partition: server.partitions[0])
            return PartitionConnection(
                server.configuration,
                on: loop,
                observer: nil,
            ) { connection async throws(RedisError) in try await check.run(on: connection) }
        }
    }

    func connection(of partition: Int) -> PartitionConnection { connections[partition % 2] }

    func openSubscriber(
        delegate: any RedisSubscriberDelegate,
        observer: (any RedisObserver)?
    ) -> any PartitionSubscriber {
        TwoSubscribers(servers.map { RedisSubscriber($0.configuration, on: loop, delegate: delegate) })
    }

    var pendingCommands: Int { connections.reduce(0) { $0 + $1.pendingCommands } }

    func close() {
        for connection in connections { connection.close() }
    }
}

private final class TwoSubscribers: PartitionSubscriber {
    private let subscribers: [RedisSubscriber]

    init(_ subscribers: [RedisSubscriber]) { self.subscribers = subscribers }

    func subscribe(to channel: String, in partition: Int, deadline: Duration) async throws(RedisError) {
        try await subscribers[partition % 2].subscribe(to: channel, deadline: deadline)
    }

    func subscribe(
        to channel: String,
        in partition: Int,
        deadline: Duration,
        _ completion: @escaping (Result<Void, RedisError>) -> Void
    ) {
        subscribers[partition % 2].subscribe(to: channel, deadline: deadline, completion)
    }

    func unsubscribe(from channel: String, in partition: Int) {
        subscribers[partition % 2].unsubscribe(from: channel)
    }

    func close() {
        for subscriber in subscribers { subscriber.close() }
    }
}

@Suite("The topology of Redis", .tags(.integration))
struct TopologyTests {
    private static let keys = Keyspace(partitions: 4)

    private func withTwoServers(
        _ body: @escaping @Sendable (RedisStore, _ outside: [RedisCommander]) async throws -> Void
    ) async throws {
        try await RedisServer.running { first in
            try await RedisServer.running { second in
                try await onLoop { loop in
                    let urls = [first.url, second.url]
                    let configurations = try urls.map { try RedisConfiguration(url: RedisURL($0)) }
                    let topology = TwoServers(configurations, keys: Self.keys, on: loop)
                    let store = RedisStore(topology, keys: Self.keys, retention: RedisBench.retention, on: loop)
                    let outside = configurations.map { RedisCommander($0, on: loop) }
                    defer {
                        store.close()
                        for commander in outside { commander.close() }
                    }
                    try await body(store, outside)
                }
            }
        }
    }

    private func request(in partition: Int) throws -> MathRequest {
        let identifiers = IdentifierFactory(clock: SystemClock(), random: SecureRandomSource())
        let conversation = identifiers.make(ConversationID.self, in: UInt16(partition))
        return MathRequest(
            correlationID: identifiers.make(in: conversation.bits.lane),
            conversationID: conversation,
            userID: .anonymous,
            problem: MathProblem(stored: "1 + 1"),
            requestedProvider: nil,
            options: SolveOptions(),
        )
    }

    @Test("requests of each partition run on the server that has it, from submission to the record")
    func twoServers() async throws {
        try await withTwoServers { store, outside in
            try await store.probe()
            let publisher = RedisMessagePublisher(store: store, limits: .init(waiting: 100))
            let terms = RedisMessageConsumer.Terms(lease: .seconds(30), attemptsMax: 3)
            let consumer = RedisMessageConsumer(store: store, consumer: "a", terms: terms)
            let queue = RedisRecordQueue(store: store, consumer: "p")
            defer {
                consumer.close()
                queue.close()
            }
            for partition in 0..<4 { _ = try await publisher.publish(try request(in: partition), in: .new, as: nil) }
            for (server, commander) in outside.enumerated() {
                let reply = try await commander.call(RedisCommand("KEYS", "*:jobs"), deadline: .seconds(5))
                let streams = Set((reply.array ?? []).compactMap(\.string))
                #expect(streams == [Self.keys.jobs(server), Self.keys.jobs(server + 2)])
            }
            var deliveries: [JobDelivery] = []
            while deliveries.count < 4 {
                deliveries += try await consumer.receive(upTo: 4, within: .milliseconds(200))
            }
            #expect(Set(deliveries.map { Self.keys.partition(of: $0.correlationID) }) == [0, 1, 2, 3])
            let plan = AttemptPlan(provider: "mock", model: "mock-1", restartReason: .workerLost)
            for delivery in deliveries {
                guard case .claimed = try await consumer.claim(delivery, plan) else {
                    Issue.record("not claimed")
                    return
                }
            }
            #expect(try await consumer.renew(deliveries).lost.isEmpty)
            #expect(try await queue.backlog().records == 4)
            var records: [QueuedRecord] = []
            while records.count < 4 { records += try await queue.receive(upTo: 4, waiting: true) }
            try await queue.acknowledge(records)
            #expect(try await queue.backlog() == .none)
        }
    }

    @Test("the cancellations of all servers arrive on one control channel")
    func control() async throws {
        try await withTwoServers { store, outside in
            var cancelled: Set<CorrelationID> = []
            let control = RedisControlChannel(store: store) { id, _ in cancelled.insert(id) }
            defer { control.close() }
            for partition in 0..<4 {
                let id = try request(in: partition).correlationID
                let message = "cancel \(id) requested"
                let publish = RedisCommand("SPUBLISH", Self.keys.control(partition), message)
                let hasArrived = try await eventually {
                    _ = try await outside[partition % 2].call(publish, deadline: .seconds(5))
                    return cancelled.contains(id)
                }
                #expect(hasArrived)
            }
        }
    }

    @Test("a server that does not take writes makes the loop unready, with its reason")
    func oneServerDown() async throws {
        try await withTwoServers { store, outside in
            let broken = Self.keys.finished(3)
            _ = try await outside[1].call(RedisCommand("SET", broken, "x"), deadline: .seconds(5))
            await #expect(throws: ProbeFailure.mistypedKey(broken, type: "string", expected: "stream")) {
                try await store.probe()
            }
        }
    }
}
