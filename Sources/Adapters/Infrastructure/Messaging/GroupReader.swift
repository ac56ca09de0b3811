internal import Application
internal import EventLoop
internal import RedisClient

/// Reads new entries as one consumer of a group that several streams have, one stream for each partition.
///
/// Has a connection of its own, because a blocked XREADGROUP holds up every command behind it.
final class GroupReader {
    private static let blockLimit = Duration.seconds(2)

    private let store: RedisStore
    private let group: String
    private let consumer: String
    private let streams: [String]
    private let connection: RedisCommander
    private let client: Client

    /// What Redis calls the connection; nil before there was one.
    private final class Client {
        var number: Int?
    }

    /// `streams` are in the order of the partitions; `consumer` is a name that no other consumer of the group has.
    init(
        store: RedisStore,
        connecting configuration: RedisConfiguration,
        group: String,
        consumer: String,
        streams: [String]
    ) {
        self.store = store
        self.group = group
        self.consumer = consumer
        self.streams = streams
        let client = Client()
        self.client = client
        connection = RedisCommander(configuration, on: store.loop) { connection async throws(RedisError) in
            let reply = try await connection.call(RedisCommand("CLIENT", "ID"), deadline: RedisStore.commandDeadline)
            client.number = reply.integer
        }
    }

    func close() { connection.close() }

    /// Waits a short time for up to `count` entries in all; gives what is there by partition.
    func read(upTo count: Int) async throws(QueueFailure) -> [(partition: Int, entries: [RedisValue])] {
        var command = RedisCommand("XREADGROUP", "GROUP", group, consumer, "COUNT", max(1, count / streams.count))
        command.append("BLOCK")
        command.append(Self.blockLimit.wholeMilliseconds)
        command.append("STREAMS")
        command.append(contentsOf: streams)
        command.append(contentsOf: streams.map { _ in ">" })
        do {
            let reply = try await connection.call(command, deadline: Self.blockLimit + RedisStore.commandDeadline)
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
        guard let number = client.number else { return }
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
