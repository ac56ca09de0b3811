internal import Application
package import Domain
package import EventLoop
package import RedisClient
package import Shared
internal import Time

/// How much stays in Redis, and for how long.
package struct Retention: Sendable {
    /// Of a request's keys while it waits and runs.
    package var live: Duration
    /// Of a request's keys after its end, and of a conversation's when nothing goes on in it.
    package var afterEnd: Duration
    /// The newest turns of a conversation, at least 1.
    package var turns: Int
    /// Of each text of a turn, in UTF-8 bytes: what is longer has no room in a context, and tells so by being cut.
    package var turnBytes = 40_000
    /// Of a client's `Idempotency-Key`.
    package var submissions = Duration.seconds(86_400)
    /// Dead letters of each kind in each partition; the oldest go first.
    package var deadLetters = 10_000

    package init(live: Duration, afterEnd: Duration, turns: Int) {
        self.live = live
        self.afterEnd = afterEnd
        self.turns = turns
    }

    /// For how long a deleted conversation must be known to be: longer than any key of its requests lives.
    var deletions: Duration { max(.seconds(86_400), live + afterEnd) }
}

/// How a request ended that no worker had.
package enum StoredEnd: Sendable {
    /// With the time since its submission.
    case cancelled(CancelReason, after: Duration)
    /// Nobody took it in time, and Redis forgot it.
    case expired
    /// It failed for a reason of the queue's own, with the time since its submission.
    case failed(ProblemKind, after: Duration)
}

/// One loop's way to Redis: the command connection, the names of keys, their expiry and the function library.
///
/// Loop-owned; all adapters of a loop share it, so that one request's writes travel on one connection.
package final class RedisStore {
    /// Limit of every command that does not wait on purpose.
    static let commandDeadline = Duration.seconds(2)

    package let loop: Loop
    let keys: Keyspace
    let retention: Retention
    let functions = FunctionLibrary.current
    private(set) var commander: RedisCommander

    /// Counts connections: a writer that sees another number must look at what Redis still has before it writes.
    private(set) var generation = 0

    /// Hears of each request that ended by a call of this store and that no worker had.
    package var onEnd: ((StoredEnd) -> Void)?
    /// Hears how many dead letters were dropped because there were too many.
    package var onLettersDropped: ((Int) -> Void)?
    /// Hears of each call that Redis refuses for good: a key of another type, or an error in a function.
    package var onRefusal: ((_ function: String, _ error: String) -> Void)?

    package init(
        _ configuration: RedisConfiguration,
        keys: Keyspace,
        retention: Retention,
        on loop: Loop,
        observer: (any RedisObserver)?
    ) {
        self.loop = loop
        self.keys = keys
        self.retention = retention
        let connected = ConnectionCount()
        let check = ConnectionCheck(keys: keys, functions: functions)
        commander = RedisCommander(
            configuration,
            on: loop,
            observer: observer,
        ) { connection async throws(RedisError) in
            try await check.run(on: connection)
            connected.action?()
        }
        connected.action = { [weak self] in self?.generation += 1 }
    }

    /// Breaks the knot between the commander's hook and the store that owns the commander.
    private final class ConnectionCount {
        var action: (() -> Void)?
    }

    package func close() { commander.close() }

    /// Commands of this store that Redis has not answered.
    package var pendingCommands: Int { commander.pendingCount }

    /// Calls a library function, loading the library where Redis does not have it (fresh, flushed or older).
    func call(
        _ function: FunctionLibrary.Function,
        keys: [some RedisArgument],
        _ arguments: [some RedisArgument]
    ) async throws(RedisError) -> RedisValue {
        var command = RedisCommand("FCALL", functions.name(of: function), keys.count)
        command.append(contentsOf: keys)
        command.append(contentsOf: arguments)
        do {
            return try await commander.call(command, deadline: Self.commandDeadline)
        } catch {
            guard case .server(let answer) = error else { throw error }
            if answer.isPermanent { onRefusal?(function.rawValue, answer.message) }
            guard answer.isFunctionNotFound else { throw error }
            try await loadLibrary()
            return try await commander.call(command, deadline: Self.commandDeadline)
        }
    }

    func call(_ command: RedisCommand) async throws(RedisError) -> RedisValue {
        try await commander.call(command, deadline: Self.commandDeadline)
    }

    /// Puts the library into Redis; does nothing where another replica was faster.
    func loadLibrary() async throws(RedisError) {
        do {
            _ = try await call(RedisCommand("FUNCTION", "LOAD", functions.code))
        } catch {
            guard case .server(let answer) = error, answer.message.contains("already exists") else { throw error }
        }
    }

    /// What the library's `stop` takes, which ends the requests of one partition.
    func stopArguments(_ reason: CancelReason, in partition: Int) -> [String] {
        [
            reason.rawValue, keys.control(partition), EventData.cancelledBetweenAttempts(reason).text,
            String(retention.afterEnd.wholeMilliseconds),
            String(retention.turns), String(retention.turnBytes),
        ]
    }

    /// Tells of `count` requests that a call ended, each by the mean of the milliseconds since their submission.
    func tellEnds(_ reason: CancelReason, _ count: RedisValue, sum milliseconds: RedisValue) {
        guard let onEnd, let count = count.integer, count > 0, let sum = milliseconds.integer else { return }
        for _ in 0..<count { onEnd(.cancelled(reason, after: .milliseconds(sum / count))) }
    }

    func tellDropped(_ letters: RedisValue?) {
        if let count = letters?.integer, count > 0 { onLettersDropped?(count) }
    }

    /// Notes that an event was lost which clients may have; see ``RequestRepository/distrust(_:of:)``.
    ///
    /// What only a client claims to have is noted as far as the request can have come.
    func distrust(_ event: EventID, of id: CorrelationID, isClaimed: Bool) async throws(RedisError) {
        let arguments = [String(event.attempt), String(event.sequence), isClaimed ? "claimed" : "delivered"]
        _ = try await call(.markLost, keys: [keys.request(id), keys.events(id)], arguments)
    }

    /// The id of a stream's last event; nil where the stream is gone.
    func lastEvent(of id: CorrelationID) async throws(RedisError) -> EventID? {
        let reply = try await call(RedisCommand("XREVRANGE", keys.events(id), "+", "-", "COUNT", 1))
        guard let entry = reply.array?.first?.array?.first?.string else { return nil }
        return EventID(entry)
    }

    /// Redis' `maxmemory-policy`; empty where the user may not ask for it.
    func evictionPolicy() async throws(RedisError) -> String {
        // By a function: a refusal by itself would be taken for a lost right, and the connection with it.
        try await call(.evictionPolicy, keys: [keys.jobs(0)], [] as [String]).string ?? ""
    }

    /// Round trip of a write and the check of permissions, for readiness; throws where Redis rejects writes.
    package func probe() async throws(RedisError) {
        _ = try await call(RedisCommand("SET", keys.probe(0), "1", "PX", 1000))
        let missing = try await call(.missingPermissions, keys: [keys.probe(0)], [keys.probeChannel(0)])
        if let failure = ConnectionCheck.failure(missing.array?.compactMap(\.string) ?? []) { throw failure }
        try await probeSubscription()
    }

    /// Detects a revoked permission to subscribe: no function can try it, and subscribers have connections of their own.
    private func probeSubscription() async throws(RedisError) {
        let outcome = OneShot<RedisError?>(loop: loop)
        let commands = ConnectionCheck.subscription(keys)
        // In one turn: between the two, Redis rejects every other command of this connection.
        for (index, command) in commands.enumerated() {
            commander.send(command, deadline: Self.commandDeadline) { result in
                switch result {
                case .failure(let error): outcome.succeed(ConnectionCheck.failure(error))
                case .success: if index == commands.count - 1 { outcome.succeed(nil) }
                }
            }
        }
        do {
            guard let failure = try await outcome.value() else { return }
            throw failure
        } catch let error as RedisError {
            throw error
        } catch {
            throw .cancelled
        }
    }
}
