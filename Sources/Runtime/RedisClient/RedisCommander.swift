package import EventLoop
internal import Time

/// A client for commands: one pipelined connection that reconnects by itself.
///
/// Redis executes the commands of one client in the order of their `send`s, as long as the connection lives. Without a
/// connection, commands wait for one up to the waiting limit, then fail as never sent. A command that was sent when the
/// connection breaks is never repeated by this client. Loop-owned; lives until ``close()``.
package final class RedisCommander: ReconnectionOwner {
    /// Runs on every new connection before other commands are sent; when it throws, the connection is closed.
    package typealias ConnectHook = (RedisConnection) async throws(RedisError) -> Void

    package let loop: Loop
    private let configuration: RedisConfiguration
    private let observer: (any RedisObserver)?
    private let onConnect: ConnectHook?
    private var connection: RedisConnection?
    private var reconnecting: Task<Void, Never>?
    private var isClosed = false
    private var reason = "not connected yet"

    private var waiting: [WaitingCommand] = []
    private var waitingBytes = 0
    private let waitLimits: DeadlineWatch

    private struct WaitingCommand {
        let command: PendingCommand
        let bytes: [UInt8]
        /// Loop time in milliseconds.
        let until: Int64
    }

    /// Begins to connect at once.
    package init(
        _ configuration: RedisConfiguration,
        on loop: Loop,
        observer: (any RedisObserver)? = nil,
        onConnect: ConnectHook? = nil,
    ) {
        self.loop = loop
        self.configuration = configuration
        self.observer = observer
        self.onConnect = onConnect
        waitLimits = DeadlineWatch(loop: loop)
        // Safety: not weak, because that would make every retain of this object a slow one. It outlives its timers: the
        // task that reconnects holds it until `close()`, which ends them.
        waitLimits.onDeadline { [unowned self] in dropLateWaiting() }
        let reconnection = Reconnection(loop: loop, configuration: configuration, observer: observer)
        reconnecting = loop.spawn { await reconnection.run(for: self) }
    }

    /// Commands without a reply: sent, or waiting for a connection.
    package var pendingCount: Int { waiting.count + (connection?.pendingCount ?? 0) }

    package var isConnected: Bool { connection.map { !$0.isClosed } ?? false }

    /// Fails every command without a reply with `closed`, at once.
    ///
    /// Idempotent.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        reconnecting?.cancel()
        reconnecting = nil
        connection?.close()
        connection = nil
        waitLimits.close()
        let dropped = waiting
        waiting = []
        waitingBytes = 0
        for entry in dropped { entry.command.completion(.failure(.closed)) }
    }

    // MARK: Sending

    /// Sends a command and waits for its reply, at most `deadline`.
    ///
    /// Cancelling ends the wait; Redis still executes the command.
    package func call(_ command: RedisCommand, deadline: Duration) async throws(RedisError) -> RedisValue {
        let outcome = OneShot<Result<RedisValue, RedisError>>(loop: loop)
        send(command, deadline: deadline) { outcome.succeed($0) }
        return try await outcome.settled()
    }

    /// Sends a command; `completion` receives the reply in a later turn.
    package func send(
        _ command: RedisCommand,
        deadline: Duration,
        _ completion: @escaping (Result<RedisValue, RedisError>) -> Void,
    ) {
        submit(deadline, { completion($0.map { RedisValue($0) }) }, command.format)
    }

    /// The hot path: `arguments` appends exactly `count` arguments straight to the output, and `completion` receives, in a
    /// later turn, a view of the reply that is valid during the call only.
    package func send(
        _ count: Int,
        deadline: Duration,
        _ arguments: (inout RedisCommandWriter) -> Void,
        completion: @escaping RedisConnection.Completion,
    ) {
        submit(deadline, completion) { RedisCommandWriter.format(count, into: &$0, arguments) }
    }

    private func submit(
        _ deadline: Duration,
        _ completion: @escaping RedisConnection.Completion,
        _ format: (inout [UInt8]) -> Void,
    ) {
        guard !isClosed else { return refuse(completion, .closed) }
        let now = loop.nowMilliseconds
        let command = PendingCommand(
            due: now + deadline.wholeMilliseconds,
            sentAt: observer == nil ? 0 : MonotonicTime.nanoseconds,
            completion: completion,
        )
        if let connection, !connection.isClosed {
            guard connection.pendingCount < configuration.pendingCommandsMax,
                connection.pendingBytes < configuration.pendingBytesMax
            else { return refuse(completion, .overloaded) }
            connection.send(command, format)
        } else {
            guard waiting.count < configuration.pendingCommandsMax, waitingBytes < configuration.pendingBytesMax else {
                return refuse(completion, .overloaded)
            }
            wait(command, until: min(command.due, now + configuration.waitLimit.wholeMilliseconds), format)
        }
    }

    /// Fails in a later turn, so that `completion` never runs inside the caller's own call.
    private func refuse(_ completion: @escaping RedisConnection.Completion, _ error: RedisError) {
        loop.executeSoon { completion(.failure(error)) }
    }

    // MARK: Waiting for a connection

    private func wait(_ command: PendingCommand, until: Int64, _ format: (inout [UInt8]) -> Void) {
        var bytes: [UInt8] = []
        format(&bytes)
        waitingBytes += bytes.count
        waiting.append(WaitingCommand(command: command, bytes: bytes, until: until))
        waitLimits.watch(until)
    }

    private func dropLateWaiting() {
        let earliest = waiting.reduce(Int64.max) { min($0, $1.until) }
        guard waitLimits.isReallyOver(earliest) else { return }
        let now = loop.nowMilliseconds
        let late = waiting.filter { $0.until <= now }
        waiting.removeAll { $0.until <= now }
        waitingBytes = waiting.reduce(0) { $0 + $1.bytes.count }
        for entry in late { entry.command.completion(.failure(.notConnected(reason: reason))) }
        waitLimits.restart(waiting.reduce(Int64.max) { min($0, $1.until) })
    }

    // MARK: ReconnectionOwner

    func prepare(_ connection: RedisConnection) async throws(RedisError) { try await onConnect?(connection) }

    func connectionIsUp(_ connection: RedisConnection) {
        self.connection = connection
        connection.isAdmitted = true
        waitLimits.close()
        let entries = waiting
        waiting = []
        waitingBytes = 0
        for entry in entries { connection.send(entry.command) { $0.append(contentsOf: entry.bytes) } }
    }

    func connectionIsDown() {
        reason = connection?.wire.failure ?? "the server did not answer in time"
        connection = nil
    }

    func connectionFailed(_ reason: String) { self.reason = reason }
}
