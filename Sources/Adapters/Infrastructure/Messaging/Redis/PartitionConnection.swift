package import EventLoop
package import RedisClient

/// The connection for commands on keys of a partition; partitions on one server share one.
///
/// Commands of one connection are executed in the order in which they were sent, so the writes of one request keep their
/// order. Loop-owned.
package final class PartitionConnection {
    /// Limit of every command that does not block.
    package static let deadline = Duration.seconds(2)

    private let commander: RedisCommander
    private let state: ConnectionState

    private final class ConnectionState {
        var generation = 0
        var permissionsCheckedAt: Int64?
    }

    /// Starts to connect at once; `check` runs on every fresh connection before other commands.
    package init(
        _ configuration: RedisConfiguration,
        on loop: Loop,
        observer: (any RedisObserver)?,
        check: @escaping RedisCommander.ConnectHook,
    ) {
        let state = ConnectionState()
        self.state = state
        commander = RedisCommander(
            configuration,
            on: loop,
            observer: observer,
        ) { connection async throws(RedisError) in
            try await check(connection)
            state.generation += 1
            state.permissionsCheckedAt = loop.nowMilliseconds
        }
    }

    /// Counts connections: a writer that sees another number must check what Redis still has before it writes.
    package var generation: Int { state.generation }

    /// When the permissions of the user were last checked on this connection, in milliseconds of loop time.
    var permissionsCheckedAt: Int64? {
        get { state.permissionsCheckedAt }
        set { state.permissionsCheckedAt = newValue }
    }

    package var isConnected: Bool { commander.isConnected }

    /// Commands that Redis has not answered.
    package var pendingCommands: Int { commander.pendingCount }

    package func close() { commander.close() }

    /// Sends a command and returns its reply.
    package func call(_ command: RedisCommand) async throws(RedisError) -> RedisValue {
        try await commander.call(command, deadline: Self.deadline)
    }

    /// Sends a command; `completion` gets the reply in a later turn of the loop.
    package func send(_ command: RedisCommand, _ completion: @escaping (Result<RedisValue, RedisError>) -> Void) {
        commander.send(command, deadline: Self.deadline, completion)
    }

    /// The hot path: `arguments` appends exactly `count` arguments to the output; see ``RedisCommander``.
    package func send(
        _ count: Int,
        _ arguments: (inout RedisCommandWriter) -> Void,
        completion: @escaping RedisConnection.Completion,
    ) {
        commander.send(count, deadline: Self.deadline, arguments, completion: completion)
    }

    /// Loads the function library; succeeds if another replica has loaded it before.
    func load(_ library: FunctionLibrary) async throws(RedisError) {
        do {
            _ = try await call(RedisCommand("FUNCTION", "LOAD", library.code))
        } catch {
            guard case .server(let answer) = error, answer.message.contains("already exists") else { throw error }
        }
    }
}
