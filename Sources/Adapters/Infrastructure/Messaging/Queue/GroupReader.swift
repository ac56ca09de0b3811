internal import Application
internal import EventLoop
internal import RedisClient
internal import Time

/// Reads new entries of the partitions of one server, as one consumer of a group that each partition's stream has.
///
/// Has a connection of its own, because a blocked XREADGROUP blocks every command behind it.
final class GroupReader {
    /// New entries of a partition's stream.
    typealias Entries = (partition: Int, entries: [RedisValue])

    private let store: RedisStore
    private let group: String
    private let consumer: String
    private let partitions: [Int]
    /// In the order of `partitions`.
    private let streams: [String]
    private let connection: RedisCommander
    private let client: Client
    /// The stream that is read first, so that none is always the last.
    private var nextStream = 0

    /// The server's number for the connection; nil before there was one.
    private final class Client {
        var number: Int?
        /// Whether the user may end its blocking read (ACL).
        var mayUnblock = false
    }

    /// `consumer` is a name that no other consumer of the group has.
    init(
        store: RedisStore,
        server: PartitionServer,
        group: ConsumerGroup,
        consumer: String,
        observer: (any RedisObserver)?
    ) {
        self.store = store
        self.consumer = consumer
        self.group = group.name
        partitions = server.partitions
        streams = server.partitions.map(group.stream)
        let client = Client()
        self.client = client
        connection = RedisCommander(
            server.configuration,
            on: store.loop,
            observer: observer,
        ) { connection async throws(RedisError) in
            let number = RedisCommand("CLIENT", "ID")
            client.number = try await connection.call(number, deadline: PartitionConnection.deadline).integer
            let unblock = RedisCommand("CLIENT", "UNBLOCK", 0)
            client.mayUnblock = (try? await connection.call(unblock, deadline: PartitionConnection.deadline)) != nil
        }
    }

    func close() { connection.close() }

    /// Waits for up to `count` entries in all, at most for `limit`.
    ///
    /// COUNT of XREADGROUP applies per stream, so this can return up to one entry per partition if `count` is smaller
    /// than the number of partitions.
    func read(upTo count: Int, within limit: Duration) async throws(QueueFailure) -> [Entries] {
        guard count < streams.count else { return try await read(streams, upTo: count / streams.count, within: limit) }
        // One stream after the other is read first. If all are empty, a blocking read of all of them returns the first
        // entry of any.
        var found: [Entries] = []
        var left = count
        nextStream = (nextStream + 1) % streams.count
        for stream in streams[nextStream...] + streams[..<nextStream] {
            do {
                found += try await read([stream], upTo: left, within: nil)
            } catch  where !found.isEmpty {
                return found
            }
            left = count - found.reduce(0) { $0 + $1.entries.count }
            if left <= 0 { return found }
        }
        return found.isEmpty ? try await read(streams, upTo: 1, within: limit) : found
    }

    /// Up to `count` new entries of each of the streams; with `limit`, waits for the first.
    private func read(
        _ streams: [String],
        upTo count: Int,
        within limit: Duration?
    ) async throws(QueueFailure) -> [Entries] {
        var command = RedisCommand("XREADGROUP", "GROUP", group, consumer, "COUNT", count)
        if let limit { command.append(contentsOf: ["BLOCK", String(max(1, limit.wholeMilliseconds))]) }
        command.append("STREAMS")
        command.append(contentsOf: streams)
        command.append(contentsOf: streams.map { _ in ">" })
        do {
            let deadline = (limit ?? .zero) + PartitionConnection.deadline
            let reply = try await connection.call(command, deadline: deadline)
            return (reply.array ?? []).compactMap { entries($0) }
        } catch {
            if case .server(let answer) = error, answer.code == "NOGROUP" {
                try await createGroups()
                return []
            }
            throw QueueFailure(error)
        }
    }

    /// Ends a blocking `read`, which returns at once with the entries that it may have received already.
    func stopWaiting() {
        guard let number = client.number, client.mayUnblock else { return }
        store.connection(of: partitions[0]).send(RedisCommand("CLIENT", "UNBLOCK", number)) { _ in }
    }

    private func createGroups() async throws(QueueFailure) {
        for (partition, stream) in zip(partitions, streams) {
            do {
                let command = RedisCommand("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")
                _ = try await store.call(command, in: partition)
            } catch {
                guard case .server(let answer) = error, answer.code == "BUSYGROUP" else { throw QueueFailure(error) }
            }
        }
    }

    private func entries(_ stream: RedisValue) -> Entries? {
        guard let parts = stream.array, parts.count == 2, let key = parts[0].string, let entries = parts[1].array,
            let index = streams.firstIndex(of: key)
        else { return nil }
        return (partitions[index], entries)
    }
}

/// The readers of all servers, in the order of ``RedisTopology/servers``.
extension [GroupReader] {
    /// Reads the servers one after the other, each for an equal share of `limit`.
    ///
    /// Returns what was read before a server fails; the failure is thrown by the next read.
    func read(upTo count: Int, within limit: Duration) async throws(QueueFailure) -> [GroupReader.Entries] {
        var found: [GroupReader.Entries] = []
        for reader in self {
            let left = count - found.reduce(0) { $0 + $1.entries.count }
            if left <= 0 { return found }
            do {
                found += try await reader.read(upTo: left, within: found.isEmpty ? limit / self.count : .zero)
            } catch  where !found.isEmpty {
                return found
            }
        }
        return found
    }
}
