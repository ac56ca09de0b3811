package import EventLoop

/// A bounded set of connections on one loop, made when they are needed.
///
/// ```
///             ┌──────────── release ◄───────────┐
///  opening ─► idle ──────── lease ────────► leased ── deadline, cancelled ──► ending ─► gone
///               └─ broken, unused for long ─► gone        └── broken ──► gone
/// ```
/// Opening, idle, leased and ending connections together never are more than the limit. A connection whose batch ran
/// into its deadline or whose caller was cancelled is never used again: the server is asked over a connection of its own
/// to cancel the statement, then it is closed. An idle connection is watched, so one that the server ended is dropped at
/// once. Loop-owned; lives until ``close()``.
package final class PostgresPool {
    /// How often idle connections are looked at.
    private static let sweepPeriod = Duration.seconds(5)
    private static let cancelBackend = PostgresStatement("SELECT pg_cancel_backend($1::int8::int4)")
    private static let probe = PostgresStatement("SELECT 1")

    private typealias Lease = Result<PostgresConnection, PostgresError>

    private struct Idle {
        let connection: PostgresConnection
        let since: ContinuousClock.Instant
    }

    package let loop: Loop
    private let configuration: PostgresConfiguration
    private let observer: (any PostgresObserver)?
    /// The most recently used last.
    private var idle: [Idle] = []
    private var leased: [ObjectIdentifier: PostgresConnection] = [:]
    private var opening = 0
    private var ending = 0
    private var waiters: [OneShot<Lease>] = []
    /// The value is nil between the start of a task and the moment its handle is known.
    private var tasks: [Int: Task<Void, Never>?] = [:]
    private var taskCount = 0
    private var sweep: LoopTimer?
    private var isClosed = false

    /// Opens no connection yet.
    package init(_ configuration: PostgresConfiguration, on loop: Loop, observer: (any PostgresObserver)? = nil) {
        self.configuration = configuration
        self.loop = loop
        self.observer = observer
        sweep = loop.schedule(every: Self.sweepPeriod) { [weak self] in self?.sweepIdle() }
    }

    /// Connections there are, in whatever state.
    package var connectionCount: Int { idle.count + leased.count + opening + ending }

    /// Connections that nobody uses.
    package var idleCount: Int { idle.count }

    /// Runs `calls` as one transaction and gives the rows of each; waiting for a connection counts against `limit`.
    ///
    /// With `mayRepeat`, for batches that do no harm twice, one that was lost with its connection, or to another
    /// transaction, is tried a second time.
    package func run(
        _ calls: [PostgresCall],
        within limit: Duration,
        mayRepeat: Bool
    ) async throws(PostgresError) -> [PostgresRows] {
        let deadline = ContinuousClock.now + limit
        do throws(PostgresError) {
            return try await runOnce(calls, until: deadline)
        } catch {
            guard mayRepeat, error.isWorthRepeating, !isClosed else { throw error }
            return try await runOnce(calls, until: deadline)
        }
    }

    private func runOnce(
        _ calls: [PostgresCall],
        until deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> [PostgresRows] {
        let connection = try await lease(until: deadline)
        let start = ContinuousClock.now
        do throws(PostgresError) {
            let rows = try await connection.call(calls, within: deadline - .now)
            observer?.batchFinished(after: .now - start, succeeded: true)
            release(connection)
            return rows
        } catch {
            observer?.batchFinished(after: .now - start, succeeded: false)
            if error == .timedOut { observer?.timedOut() }
            if connection.isBusy { abandon(connection) } else { release(connection) }
            throw error
        }
    }

    /// Closes every connection; what is under way or waits fails as closed.
    ///
    /// Idempotent.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        sweep?.close()
        sweep = nil
        for task in tasks.values { task?.cancel() }
        failWaiters(.closed)
        for entry in idle { entry.connection.close() }
        for connection in leased.values { connection.close() }
    }

    // MARK: Leasing

    private func lease(until deadline: ContinuousClock.Instant) async throws(PostgresError) -> PostgresConnection {
        guard !isClosed else { throw .closed }
        if let entry = idle.popLast() {
            take(entry.connection)
            tellUsage()
            observer?.waited(.zero)
            return entry.connection
        }
        waiters.removeAll(where: \.isSettled)
        guard waiters.count < configuration.waitersMax else { throw .exhausted }
        let start = ContinuousClock.now
        let wait = OneShot<Lease>(loop: loop)
        waiters.append(wait)
        tellUsage()
        openIfNeeded()
        let timer = loop.schedule(after: deadline - .now) { wait.succeed(.failure(.exhausted)) }
        defer {
            timer.close()
            observer?.waited(.now - start)
            tellUsage()
        }
        let outcome: Lease
        do {
            outcome = try await wait.value()
        } catch {
            throw .cancelled
        }
        return try outcome.get()
    }

    private func take(_ connection: PostgresConnection) { leased[ObjectIdentifier(connection)] = connection }

    private func release(_ connection: PostgresConnection) {
        guard leased.removeValue(forKey: ObjectIdentifier(connection)) != nil, !connection.isClosed else { return }
        offer(connection)
        tellUsage()
    }

    private func tellUsage() {
        guard let observer else { return }
        observer.usageChanged(inUse: leased.count, waiting: waiters.count { !$0.isSettled })
    }

    /// Gives a connection to who has waited longest, or keeps it.
    private func offer(_ connection: PostgresConnection) {
        guard !isClosed else { return connection.close() }
        while !waiters.isEmpty {
            let waiter = waiters.removeFirst()
            guard !waiter.isSettled else { continue }
            take(connection)
            return waiter.succeed(.success(connection))
        }
        idle.append(Idle(connection: connection, since: .now))
    }

    private func failWaiters(_ error: PostgresError) {
        let failed = waiters
        waiters = []
        for waiter in failed { waiter.succeed(.failure(error)) }
    }

    // MARK: Making connections

    /// Makes as many connections as there are callers without one, up to the limit.
    private func openIfNeeded() {
        waiters.removeAll(where: \.isSettled)
        while !isClosed, opening < waiters.count, connectionCount < configuration.connectionsMax {
            opening += 1
            keep { await self.openOne() }
        }
    }

    private func openOne() async {
        do throws(PostgresError) {
            let connection = try await PostgresConnection.open(configuration, on: loop)
            opening -= 1
            observer?.connectionOpened()
            connection.onClose = { [weak self, unowned connection] in self?.connectionEnded(connection) }
            offer(connection)
        } catch {
            opening -= 1
            if case .unreachable(let reason) = error { observer?.connectionFailed(reason: reason) }
            // Whoever has a connection gives it back in time; without any, waiting is in vain.
            if leased.isEmpty, opening == 0 { failWaiters(error) }
        }
    }

    private func connectionEnded(_ connection: PostgresConnection) {
        let isKnown = leased.removeValue(forKey: ObjectIdentifier(connection)) != nil
        let position = idle.firstIndex { $0.connection === connection }
        if let position { idle.remove(at: position) }
        observer?.connectionClosed(isLost: (isKnown || position != nil) && !isClosed)
        tellUsage()
        openIfNeeded()
    }

    // MARK: Giving up connections

    /// Takes a busy connection out of use, has the server cancel what it does, then closes it.
    private func abandon(_ connection: PostgresConnection) {
        leased[ObjectIdentifier(connection)] = nil
        tellUsage()
        ending += 1
        keep {
            await self.cancelStatement(of: connection)
            self.ending -= 1
            connection.close()
        }
    }

    private func cancelStatement(of connection: PostgresConnection) async {
        // Behind a pooler the process may serve another client by now: closing the connection is all there is.
        guard let processID = connection.processID else { return }
        guard !isClosed, let canceller = try? await PostgresConnection.open(configuration, on: loop) else { return }
        let call = Self.cancelBackend(.integer(Int64(processID)))
        _ = try? await canceller.call([call], within: configuration.connectLimit)
        canceller.close()
    }

    /// Closes what has been unused for long, and tries what may have died in silence.
    private func sweepIdle() {
        let now = ContinuousClock.now
        let old = idle.dropLast().filter { now - $0.since >= configuration.closeAfter }
        // Taken out first: what is closed while it is known counts as lost.
        idle.removeAll { entry in old.contains { $0.connection === entry.connection } }
        for entry in old { entry.connection.close() }
        for entry in idle where now - entry.since >= configuration.probeAfter {
            let connection = entry.connection
            idle.removeAll { $0.connection === connection }
            take(connection)
            keep { await self.tryOut(connection, idleSince: entry.since) }
        }
    }

    private func tryOut(_ connection: PostgresConnection, idleSince start: ContinuousClock.Instant) async {
        let answer = try? await connection.call([Self.probe()], within: configuration.connectLimit)
        guard answer != nil, waiters.allSatisfy(\.isSettled), !connection.isClosed, !isClosed else {
            return connection.isBusy ? connection.close() : release(connection)
        }
        // Being tried is no use: it keeps its age.
        leased[ObjectIdentifier(connection)] = nil
        idle.insert(Idle(connection: connection, since: start), at: 0)
    }

    // MARK: Tasks

    /// Runs `operation` until it ends or the pool is closed.
    private func keep(_ operation: @escaping () async -> Void) {
        taskCount += 1
        let number = taskCount
        tasks.updateValue(nil, forKey: number)
        let task = loop.spawn {
            await operation()
            self.tasks.removeValue(forKey: number)
        }
        // It may have ended inside the call.
        if tasks.keys.contains(number) { tasks.updateValue(task, forKey: number) }
    }
}
