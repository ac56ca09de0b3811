internal import Application
internal import EventLoop
internal import RedisClient
internal import Time

/// Reads new entries as one consumer of a group that several streams have, one stream for each partition.
///
/// Has a connection of its own, because a blocked XREADGROUP holds up every command behind it.
final class GroupReader {
    private let store: RedisStore
    private let group: String
    private let consumer: String
    private let streams: [String]
    private let connection: RedisCommander
    private let client: Client
    /// Which stream is looked at first, so that none is always the last.
    private var nextStream = 0

    /// What Redis calls the connection; nil before there was one.
    private final class Client {
        var number: Int?
        /// Whether the user may end its wait (ACL).
        var mayUnblock = false
    }

    /// `streams` are in the order of the partitions; `consumer` is a name that no other consumer of the group has.
    init(
        store: RedisStore,
        connecting configuration: RedisConfiguration,
        group: String,
        consumer: String,
        streams: [String],
        observer: (any RedisObserver)?
    ) {
        self.store = store
        self.group = group
        self.consumer = consumer
        self.streams = streams
        let client = Client()
        self.client = client
        connection = RedisCommander(
            configuration,
            on: store.loop,
            observer: observer,
        ) { connection async throws(RedisError) in
            let reply = try await connection.call(RedisCommand("CLIENT", "ID"), deadline: RedisStore.commandDeadline)
            client.number = reply.integer
            let unblock = RedisCommand("CLIENT", "UNBLOCK", 0)
            client.mayUnblock = (try? await connection.call(unblock, deadline: RedisStore.commandDeadline)) != nil
        }
    }

    func close() { connection.close() }

    /// Waits for up to `count` entries in all, for `limit` at most; gives what is there by partition.
    ///
    /// There may be more only where fewer are wanted than there are partitions, and entries came to several of them in one
    /// moment.
    func read(
        upTo count: Int,
        within limit: Duration = .seconds(2)
    ) async throws(QueueFailure) -> [(partition: Int, entries: [RedisValue])] {
        guard count < streams.count else { return try await read(streams, upTo: count / streams.count, within: limit) }
        // Redis counts by stream: one after the other is looked at first. When all were empty, a read that waits is woken
        // by one of them.
        var found: [(partition: Int, entries: [RedisValue])] = []
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
    ) async throws(QueueFailure) -> [(partition: Int, entries: [RedisValue])] {
        var command = RedisCommand("XREADGROUP", "GROUP", group, consumer, "COUNT", count)
        if let limit { command.append(contentsOf: ["BLOCK", String(max(1, limit.wholeMilliseconds))]) }
        command.append("STREAMS")
        command.append(contentsOf: streams)
        command.append(contentsOf: streams.map { _ in ">" })
        do {
            let deadline = (limit ?? .zero) + RedisStore.commandDeadline
            let reply = try await connection.call(command, deadline: deadline)
            return (reply.array ?? []).compactMap { entriesByPartition($0) }
        } catch {
            if case .server(let answer) = error, answer.code == "NOGROUP" {
                try await makeGroups()
                return []
            }
            throw QueueFailure(error)
        }
    }

    /// Lets a `read` that waits return at once, with what it may have been given already.
    func stopWaiting() {
        guard let number = client.number, client.mayUnblock else { return }
        let command = RedisCommand("CLIENT", "UNBLOCK", number)
        store.commander.send(command, deadline: RedisStore.commandDeadline) { _ in }
    }

    private func makeGroups() async throws(QueueFailure) {
        for stream in streams {
            do {
                _ = try await store.call(RedisCommand("XGROUP", "CREATE", stream, group, "0", "MKSTREAM"))
            } catch {
                guard case .server(let answer) = error, answer.code == "BUSYGROUP" else { throw QueueFailure(error) }
            }
        }
    }

    private func entriesByPartition(_ stream: RedisValue) -> (Int, [RedisValue])? {
        guard let parts = stream.array, parts.count == 2, let key = parts[0].string, let entries = parts[1].array,
            let partition = streams.firstIndex(of: key)
        else { return nil }
        return (partition, entries)
    }
}
