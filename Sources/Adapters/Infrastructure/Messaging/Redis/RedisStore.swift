package import Application
internal import Domain
package import EventLoop
package import RedisClient
internal import Shared

/// The access of one loop to Redis: the connections of the partitions, the names of keys, their expiry and the function
/// library.
///
/// Loop-owned; all adapters of a loop share it, so that the writes of one request travel on one connection.
package final class RedisStore {
    package let loop: Loop
    let keys: Keyspace
    let retention: Retention
    let functions = FunctionLibrary.current
    private let topology: any RedisTopology

    private let observer: (any RedisStoreObserver)?
    /// Where the ends of requests without a worker are published.
    let bus: (any EventBus)?

    package init(
        _ topology: any RedisTopology,
        keys: Keyspace,
        retention: Retention,
        on loop: Loop,
        observer: (any RedisStoreObserver)? = nil,
        bus: (any EventBus)? = nil
    ) {
        self.topology = topology
        self.observer = observer
        self.bus = bus
        self.keys = keys
        self.retention = retention
        self.loop = loop
    }

    /// A store on one Redis server.
    package convenience init(
        _ configuration: RedisConfiguration,
        keys: Keyspace,
        retention: Retention,
        on loop: Loop,
        observer: (any RedisStoreObserver)? = nil,
        connection: (any RedisObserver)?,
        bus: (any EventBus)? = nil
    ) {
        let server = SingleServer(configuration, keys: keys, on: loop, observer: connection)
        self.init(server, keys: keys, retention: retention, on: loop, observer: observer, bus: bus)
    }

    package func close() { topology.close() }

    /// Commands of this store that Redis has not answered.
    package var pendingCommands: Int { topology.pendingCommands }

    // MARK: Connections

    /// The connection for commands on keys of a partition; stays the same object for the lifetime of the store.
    func connection(of partition: Int) -> PartitionConnection { topology.connection(of: partition) }

    /// The connection for commands on keys of a request.
    func connection(of id: CorrelationID) -> PartitionConnection { connection(of: keys.partition(of: id)) }

    /// The servers, for blocking reads.
    var servers: [PartitionServer] { topology.servers }

    /// Opens connections of their own for channels of all partitions.
    func openSubscriber(
        delegate: any RedisSubscriberDelegate,
        observer: (any RedisObserver)?
    ) -> any PartitionSubscriber {
        topology.openSubscriber(delegate: delegate, observer: observer)
    }

    // MARK: Calls

    /// Calls a library function, and loads the library first if Redis does not have it (fresh, flushed or older).
    func call<Call: FunctionCall>(_ call: Call) async throws(RedisError) -> Call.Reply {
        let connection = connection(of: call.partition)
        let command = command(of: call)
        do {
            return try decode(try await connection.call(command), of: call)
        } catch {
            guard case .server(let answer) = error else { throw error }
            if answer.isPermanent { observer?.callRefused(function: Call.function.rawValue, error: answer.message) }
            guard answer.isFunctionNotFound else { throw error }
            try await connection.load(functions)
            return try decode(try await connection.call(command), of: call)
        }
    }

    /// Calls a library function of which the caller can do without a reply: a missing library is not loaded.
    func send<Call: FunctionCall>(_ call: Call, _ completion: @escaping (Result<Call.Reply, RedisError>) -> Void) {
        connection(of: call.partition).send(command(of: call)) { [self] result in
            switch result {
            case .success(let value):
                completion(Result { () throws(RedisError) in try decode(value, of: call) })
            case .failure(let error): completion(.failure(error))
            }
        }
    }

    private func command<Call: FunctionCall>(of call: Call) -> RedisCommand {
        var command = RedisCommand("FCALL", functions.name(of: Call.function), call.keys.count)
        command.append(contentsOf: call.keys)
        command.append(contentsOf: call.arguments)
        return command
    }

    private func decode<Call: FunctionCall>(_ reply: RedisValue, of call: Call) throws(RedisError) -> Call.Reply {
        do {
            return try call.decode(reply)
        } catch {
            let name = Call.function.rawValue
            throw .server(RedisServerError(message: "ERR the function \(name) returned an unexpected reply"))
        }
    }

    /// Sends a command on keys of a partition.
    func call(_ command: RedisCommand, in partition: Int) async throws(RedisError) -> RedisValue {
        try await connection(of: partition).call(command)
    }

    /// The id of a stream's last event; nil if the stream does not exist.
    func lastEvent(of id: CorrelationID) async throws(RedisError) -> EventID? {
        let reply = try await connection(of: id).call(RedisCommand("XREVRANGE", keys.events(id), "+", "-", "COUNT", 1))
        guard let entry = reply.array?.first?.array?.first?.string else { return nil }
        return EventID(entry)
    }

    // MARK: Reports

    func publish(_ event: some DomainEvent) { bus?.publish(event) }

    /// Reports requests that one call ended, each with the mean of the times since their submissions.
    func report(_ ended: EndedRequests, _ reason: CancelReason) {
        guard ended.count > 0 else { return }
        for _ in 0..<ended.count {
            publish(RequestEndedWithoutWorker.cancelled(reason, after: ended.ageSum / ended.count))
        }
    }

    /// Reports the number of dead letters that a call dropped.
    func report(droppedDeadLetters count: Int) {
        if count > 0 { observer?.deadLettersDropped(count) }
    }
}
