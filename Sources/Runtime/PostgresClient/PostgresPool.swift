package import EventLoop

/// A bounded set of connections on one loop, opened on demand.
///
/// Opening, idle, leased and ending connections together are at most the limit. A connection whose batch exceeded its
/// deadline or whose caller was cancelled is not used again: another connection asks the server to cancel the statement,
/// then the first is closed. An idle connection is watched, so that it is removed as soon as the server closes it.
/// ``PoolState`` decides, this class executes. Loop-owned; lives until ``close()``.
package final class PostgresPool {
    /// How often idle connections are checked.
    private static let sweepPeriod = Duration.seconds(5)
    private static let cancelBackend = PostgresStatement("SELECT pg_cancel_backend($1::int8::int4)")
    private static let probe = PostgresStatement("SELECT 1")

    private struct Lease {
        let id: PoolState.ConnectionID
        let connection: PostgresConnection
    }

    package let loop: Loop
    private let configuration: PostgresConfiguration
    private let observer: (any PostgresObserver)?
    private var state: PoolState
    /// All connections but those that are opening.
    private var connections: [PoolState.ConnectionID: PostgresConnection] = [:]
    private var waits: [PoolState.CallerID: OneShot<Result<Lease, PostgresError>>] = [:]
    private var callers = 0
    private var reportedUsage = Usage(inUse: 0, waiting: 0)
    /// The value is nil between the start of a task and the moment its handle is known.
    private var tasks: [Int: Task<Void, Never>?] = [:]
    private var taskCount = 0
    private var sweep: LoopTimer?

    private struct Usage: Equatable {
        let inUse: Int
        let waiting: Int
    }

    /// Opens no connection yet.
    package init(_ configuration: PostgresConfiguration, on loop: Loop, observer: (any PostgresObserver)? = nil) {
        self.configuration = configuration
        self.loop = loop
        self.observer = observer
        state = PoolState(
            PoolState.Limits(
                connectionsMax: configuration.connectionsMax,
                callersMax: configuration.waitersMax,
                probeAfter: configuration.probeAfter,
                closeAfter: configuration.closeAfter,
            )
        )
        sweep = loop.schedule(every: Self.sweepPeriod) { [weak self] in self?.apply(.sweep(now: .now)) }
    }

    /// Connections in all states.
    package var connectionCount: Int { state.connectionCount }

    /// Connections that are not in use.
    package var idleCount: Int { state.idleCount }

    /// Runs `calls` as one transaction and returns the rows of each; the wait for a connection counts against `limit`.
    ///
    /// With `mayRepeat`, for idempotent batches, a batch that failed because its connection broke or because of another
    /// transaction is repeated once.
    package func run(
        _ calls: [PostgresCall],
        within limit: Duration,
        mayRepeat: Bool
    ) async throws(PostgresError) -> [PostgresRows] {
        let deadline = ContinuousClock.now + limit
        do throws(PostgresError) {
            return try await runOnce(calls, until: deadline)
        } catch {
            guard mayRepeat, error.isWorthRepeating, !state.isClosed else { throw error }
            return try await runOnce(calls, until: deadline)
        }
    }

    private func runOnce(
        _ calls: [PostgresCall],
        until deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> [PostgresRows] {
        let lease = try await lease(until: deadline)
        let start = ContinuousClock.now
        do throws(PostgresError) {
            let rows = try await lease.connection.call(calls, within: deadline - .now)
            observer?.batchFinished(after: .now - start, succeeded: true)
            apply(.released(lease.id, now: .now))
            return rows
        } catch {
            observer?.batchFinished(after: .now - start, succeeded: false)
            if error == .timedOut { observer?.timedOut() }
            apply(lease.connection.isBusy ? .abandoned(lease.id) : .released(lease.id, now: .now))
            throw error
        }
    }

    /// Closes every connection; what is under way or waits fails as closed.
    ///
    /// Idempotent.
    package func close() {
        guard !state.isClosed else { return }
        sweep?.close()
        sweep = nil
        for task in tasks.values { task?.cancel() }
        apply(.close)
    }

    // MARK: Leasing

    private func lease(until deadline: ContinuousClock.Instant) async throws(PostgresError) -> Lease {
        let start = ContinuousClock.now
        callers += 1
        let caller = PoolState.CallerID(number: callers)
        let wait = OneShot<Result<Lease, PostgresError>>(loop: loop)
        waits[caller] = wait
        apply(.lease(caller))
        let mustWait = !wait.isSettled
        let timer = mustWait ? loop.schedule(after: deadline - .now) { self.apply(.deadlinePassed(caller)) } : nil
        defer { timer?.close() }
        let outcome: Result<Lease, PostgresError>
        do {
            outcome = try await wait.value()
        } catch {
            waits[caller] = nil
            apply(.cancelled(caller))
            outcome = .failure(.cancelled)
        }
        switch outcome {
        case .success: observer?.waited(mustWait ? .now - start : .zero)
        case .failure: if mustWait { observer?.waited(.now - start) }
        }
        return try outcome.get()
    }

    // MARK: Executing

    private func apply(_ event: PoolState.Event) {
        for action in state.handle(event) { perform(action) }
        reportUsage()
    }

    private func perform(_ action: PoolState.Action) {
        switch action {
        case .open(let id): keep { await self.open(id) }
        case .grant(let id, let caller): grant(id, to: caller)
        case .fail(let caller, let error): waits.removeValue(forKey: caller)?.succeed(.failure(error))
        case .probe(let id): keep { await self.probe(id) }
        case .cancel(let id): keep { await self.cancelStatement(of: id) }
        case .close(let id): connections[id]?.close()
        case .reportEnded(let isLost): observer?.connectionClosed(isLost: isLost)
        }
    }

    /// Returns the connection at once where the caller was cancelled and has not yet run since.
    private func grant(_ id: PoolState.ConnectionID, to caller: PoolState.CallerID) {
        guard let wait = waits.removeValue(forKey: caller), !wait.isSettled, let connection = connections[id] else {
            return apply(.released(id, now: .now))
        }
        wait.succeed(.success(Lease(id: id, connection: connection)))
    }

    private func reportUsage() {
        let usage = Usage(inUse: state.inUseCount, waiting: state.waitingCount)
        guard usage != reportedUsage else { return }
        reportedUsage = usage
        observer?.usageChanged(inUse: usage.inUse, waiting: usage.waiting)
    }

    private func open(_ id: PoolState.ConnectionID) async {
        do throws(PostgresError) {
            let connection = try await PostgresConnection.open(configuration, on: loop)
            guard !connection.isClosed else { throw .connectionLost }
            observer?.connectionOpened()
            connections[id] = connection
            connection.onClose = { [weak self] in self?.didClose(id) }
            apply(.opened(id, now: .now))
        } catch {
            if case .unreachable(let reason) = error { observer?.connectionFailed(reason: reason) }
            apply(.openFailed(id, error))
        }
    }

    private func didClose(_ id: PoolState.ConnectionID) {
        connections[id] = nil
        apply(.ended(id))
    }

    private func probe(_ id: PoolState.ConnectionID) async {
        guard let connection = connections[id] else { return }
        let reply = try? await connection.call([Self.probe()], within: configuration.connectLimit)
        let result: PoolState.ProbeResult = reply != nil ? .healthy : connection.isBusy ? .busy : .refused
        apply(.probed(id, result, now: .now))
    }

    private func cancelStatement(of id: PoolState.ConnectionID) async {
        guard let connection = connections[id] else { return }
        defer { connection.close() }
        // Behind a pooler the server process may serve another client by now: closing the connection must suffice.
        guard let processID = connection.processID, !state.isClosed,
            let canceller = try? await PostgresConnection.open(configuration, on: loop)
        else { return }
        let call = Self.cancelBackend(.integer(Int64(processID)))
        _ = try? await canceller.call([call], within: configuration.connectLimit)
        canceller.close()
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
        // The task may have ended inside the call.
        if tasks.keys.contains(number) { tasks.updateValue(task, forKey: number) }
    }
}
