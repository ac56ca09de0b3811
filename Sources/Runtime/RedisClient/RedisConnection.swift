package import EventLoop
internal import Time

/// One connection to Redis without reconnecting: commands leave pipelined, replies arrive in the same order.
///
/// ```
///  open ── deadline passed, socket broken, malformed reply, server demoted to replica, close() ──► closed
/// ```
/// One timer watches all deadlines. When a command's deadline passes, the connection counts as dead, because the missing
/// reply cannot be distinguished from those behind it: the connection closes, and every command without a reply fails.
/// Loop-owned.
package final class RedisConnection: RedisWireOwner {
    /// Receives the outcome of a command.
    ///
    /// The reply is valid during the call only.
    package typealias Completion = (Result<RedisReply, RedisError>) -> Void

    package let loop: Loop
    let wire: RedisWire
    private var pending = FIFO<PendingCommand>()
    private let observer: (any RedisObserver)?
    private var writtenBytes: UInt64 = 0
    private var cause = CloseCause.lost
    private let deadlines: DeadlineWatch
    /// True once the client uses the connection; before that, the client's own check handles refusals.
    var isAdmitted = false

    init(stream: ByteStream, isSecured: Bool, observer: (any RedisObserver)?) {
        loop = stream.loop
        wire = RedisWire(stream: stream, isSecured: isSecured)
        self.observer = observer
        deadlines = DeadlineWatch(loop: loop)
        wire.owner = self
        // Safety: not weak, because that would make every retain of a connection a slow one. It outlives its timers,
        // which end with its socket, which retains it.
        deadlines.onDeadline { [unowned self] in checkDeadlines() }
    }

    package var isClosed: Bool { wire.stream.isClosed }

    /// Commands sent that have no reply yet.
    var pendingCount: Int { pending.count }

    /// Bytes that the kernel has not accepted yet.
    var pendingBytes: Int { wire.stream.pendingBytes }

    // MARK: Sending

    /// Sends a command and waits for its reply, at most `deadline`.
    ///
    /// Cancelling ends the wait; Redis still executes the command.
    package func call(_ command: RedisCommand, deadline: Duration) async throws(RedisError) -> RedisValue {
        let outcome = OneShot<Result<RedisValue, RedisError>>(loop: loop)
        guard !isClosed else { throw .notConnected(reason: "the connection is closed") }
        let pending = PendingCommand(
            due: loop.nowMilliseconds + deadline.wholeMilliseconds,
            sentAt: observer == nil ? 0 : MonotonicTime.nanoseconds,
            completion: { outcome.succeed($0.map { RedisValue($0) }) },
        )
        send(pending, command.format)
        return try await outcome.settled()
    }

    /// Queues what `format` appends, which is exactly one command; the connection must be open.
    func send(_ command: PendingCommand, _ format: (inout [UInt8]) -> Void) {
        var command = command
        command.offset = writtenBytes
        pending.append(command)
        deadlines.watch(command.due)
        wire.stream.write { output in
            let before = output.count
            format(&output)
            writtenBytes += UInt64(output.count - before)
        }
    }

    package func close() { close(.client) }

    private func close(_ cause: CloseCause) {
        guard !isClosed else { return }
        self.cause = cause
        wire.close()
    }

    /// Transfers the wire to `owner`, for pub/sub; no command may be pending.
    func transfer(to owner: any RedisWireOwner) -> RedisWire {
        precondition(pending.isEmpty, "a connection with pending commands cannot be transferred")
        deadlines.close()
        wire.owner = owner
        return wire
    }

    // MARK: Receiving

    func wireDidReceive(_ reply: RedisReply) {
        guard let command = pending.popFirst() else {
            wire.close(because: "Redis sent a reply to no command")
            return
        }
        let error = reply.serverError
        if let observer {
            observer.commandFinished(after: MonotonicTime.since(command.sentAt), succeeded: error == nil)
        }
        guard let error else { return command.completion(.success(reply)) }
        command.completion(.failure(.server(error)))
        if error.meansAnotherMaster {
            wire.close(because: error.message)
        } else if error.isMissingPermission, isAdmitted {
            // The client's check on the next connection finds which permission is missing.
            observer?.permissionMissing(reason: error.message)
            wire.close(because: error.message)
        }
    }

    func wireDidClose() {
        deadlines.close()
        let now = loop.nowMilliseconds
        while let command = pending.popFirst() {
            if let observer { observer.commandFinished(after: MonotonicTime.since(command.sentAt), succeeded: false) }
            // TLS changes the number of bytes, so under TLS every command counts as sent.
            let isSent = wire.isSecured || command.offset < wire.stream.takenBytes
            let reason = wire.failure ?? "the server does not read"
            command.completion(.failure(command.error(of: cause, isSent: isSent, reason: reason, now: now)))
        }
    }

    private func checkDeadlines() {
        let earliest = pending.elements.reduce(Int64.max) { min($0, $1.due) }
        if deadlines.isReallyOver(earliest) {
            observer?.timedOut()
            close(.deadline)
        }
    }
}

extension RedisServerError {
    /// The server is a replica now: only a new connection, by a name that follows the master, can reach the new one.
    fileprivate var meansAnotherMaster: Bool { code == "READONLY" || code == "UNBLOCKED" }
}

extension OneShot {
    /// The outcome, or `cancelled`.
    func settled<Success>() async throws(RedisError) -> Success where Value == Result<Success, RedisError> {
        let outcome: Value
        do {
            outcome = try await value()
        } catch {
            throw .cancelled
        }
        return try outcome.get()
    }
}
