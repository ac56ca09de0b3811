internal import CPostgres
package import EventLoop

/// One connection to PostgreSQL: one batch or script at a time, never blocking on the socket.
///
/// ```
///  open ──► idle ──run──► busy ──all results──► idle
///              └─────────────┴── socket broken, server's FATAL, close() ──► closed
/// ```
/// A batch is sent in pipeline mode with one synchronisation point at its end, so it is one round trip and one
/// transaction: either all of it is stored or nothing. ``PostgresBatch`` and ``PreparedStatements`` decide which commands
/// to send and what a result means; this class executes.
///
/// Statements are prepared once by name, but not behind a pooler: a pooler that assigns each transaction another session
/// (PgBouncer with `pool_mode = transaction`) would run another client's statement under that name, or none. Loop-owned.
///
/// Safety: `@safe` because the object owns libpq's connection and frees it once: every use checks `isClosed` first.
@safe package final class PostgresConnection {
    package typealias Completion = (Result<[PostgresRows], PostgresError>) -> Void

    private struct Work {
        var batch: PostgresBatch
        var rows: [PostgresRows] = []
        let completion: Completion
    }

    package let loop: Loop
    /// The server process of this connection; nil behind a pooler, which may change it.
    package private(set) var processID: Int32?
    /// Called once, when the connection has broken or was closed.
    var onClose: (() -> Void)?
    package private(set) var isClosed = false

    private let connection: OpaquePointer
    private var poll: SocketPoll?
    private var work: Work?
    private var statements = PreparedStatements()

    /// Takes ownership of an established connection.
    init(adopting connection: OpaquePointer, on loop: Loop) throws(NetworkError) {
        self.loop = loop
        unsafe self.connection = unsafe connection
        unsafe PQsetnonblocking(connection, 1)
        // Without a processor, libpq writes notices to standard error.
        _ = unsafe PQsetNoticeProcessor(connection, { _, _ in }, nil)
        unsafe PQenterPipelineMode(connection)
        // Safety: not weak, because the poll is closed, and releases its action, before this object ends.
        poll = try unsafe SocketPoll(socket: PQsocket(connection), on: loop) { [unowned self] _ in advance() }
        watch()
    }

    deinit { if !isClosed { unsafe PQfinish(connection) } }

    package var isBusy: Bool { work != nil }

    private static let askProcessID = PostgresStatement("SELECT pg_backend_pid()::int8")

    /// Checks that the server process is the one announced at the start; a pooler announces one of its own.
    func learnProcessID(within limit: Duration) async throws(PostgresError) {
        let announced = unsafe PQbackendPID(connection)
        let real = try await call([Self.askProcessID()], within: limit).first?.first?.integer(0)
        processID = real == Int64(announced) ? announced : nil
    }

    // MARK: Sending

    /// Runs `calls` as one transaction within `limit` and returns the rows of each.
    ///
    /// After `timedOut` and `cancelled` the batch is still under way: the owner must close this connection.
    package func call(_ calls: [PostgresCall], within limit: Duration) async throws(PostgresError) -> [PostgresRows] {
        try await outcome(within: limit) { run(calls, $0) }
    }

    /// Runs a script, which may contain transactions of its own; the same limits apply.
    package func call(_ script: PostgresScript, within limit: Duration) async throws(PostgresError) {
        _ = try await outcome(within: limit) { run(script, $0) }
    }

    private func outcome(
        within limit: Duration,
        _ start: (@escaping Completion) -> Void
    ) async throws(PostgresError) -> [PostgresRows] {
        let outcome = OneShot<Result<[PostgresRows], PostgresError>>(loop: loop)
        start { outcome.succeed($0) }
        let timer = loop.schedule(after: limit) {
            // A deadline that passed while this loop was busy is not the server's fault: read what has arrived first.
            self.advance()
            outcome.succeed(.failure(.timedOut))
        }
        defer { timer.close() }
        let settled: Result<[PostgresRows], PostgresError>
        do {
            settled = try await outcome.value()
        } catch {
            throw .cancelled
        }
        return try settled.get()
    }

    private func run(_ calls: [PostgresCall], _ completion: @escaping Completion) {
        guard !isClosed else { return completion(.failure(.connectionLost)) }
        precondition(work == nil, "a connection runs one batch at a time")
        let commands =
            processID == nil ? calls.map { .execute($0, name: nil) } : statements.commands(for: calls)
        work = Work(batch: PostgresBatch(commands), completion: completion)
        guard commands.allSatisfy({ send($0) }), unsafe PQpipelineSync(connection) == 1 else { return lose() }
        advance()
    }

    /// Scripts use the simple protocol, which pipeline mode does not support.
    private func run(_ script: PostgresScript, _ completion: @escaping Completion) {
        guard !isClosed else { return completion(.failure(.connectionLost)) }
        precondition(work == nil, "a connection runs one script at a time")
        work = Work(batch: PostgresBatch.script, completion: completion)
        guard unsafe PQexitPipelineMode(connection) == 1, unsafe PQsendQuery(connection, script.sql) == 1 else {
            return lose()
        }
        advance()
    }

    private func send(_ command: BatchCommand) -> Bool {
        switch command {
        case .prepare(let call, let name): prepare(call, as: name)
        case .execute(let call, let name): execute(call, named: name)
        }
    }

    private func prepare(_ call: PostgresCall, as name: String) -> Bool {
        let types = call.values.map(\.type)
        return unsafe call.statement.withSQL {
            unsafe PQsendPrepare(connection, name, $0, Int32(types.count), types) == 1
        }
    }

    /// Calls the prepared statement, or sends the statement's text where `name` is nil.
    private func execute(_ call: PostgresCall, named name: String?) -> Bool {
        var bytes: [UInt8] = []
        let places = call.values.map { value in
            let start = bytes.count
            return value.append(to: &bytes) ? start..<bytes.count : nil
        }
        // A byte to point at where all values are empty.
        bytes.append(0)
        let lengths = places.map { Int32($0?.count ?? 0) }
        let formats = [Int32](repeating: 1, count: places.count)
        // Safety: libpq copies the values before the call returns.
        return unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) { bytes in
                let values = unsafe places.map { place in
                    unsafe place.flatMap { unsafe bytes.baseAddress?.advanced(by: $0.lowerBound) }
                }
                let count = Int32(places.count)
                if let name {
                    return unsafe PQsendQueryPrepared(connection, name, count, values, lengths, formats, 1) == 1
                }
                let types = call.values.map(\.type)
                return unsafe call.statement.withSQL { sql in
                    unsafe PQsendQueryParams(connection, sql, count, types, values, lengths, formats, 1) == 1
                }
            }
        }
    }

    // MARK: Receiving

    /// Reads and writes as far as the socket allows, and processes the results.
    private func advance() {
        guard !isClosed else { return }
        guard unsafe PQconsumeInput(connection) == 1, unsafe PQflush(connection) >= 0 else { return lose() }
        // libpq processes unsolicited messages of the server in `PQisBusy`, so it is called also where nothing is due.
        var endsInARow = 0
        while unsafe PQisBusy(connection) == 0, work != nil, endsInARow < 2 {
            guard let result = unsafe PQgetResult(connection) else {
                endsInARow += 1
                endResult()
                continue
            }
            endsInARow = 0
            unsafe take(result)
            unsafe PQclear(result)
        }
        guard !isClosed else { return }
        guard unsafe PQstatus(connection) == CONNECTION_OK, endsInARow < 2 || work == nil else { return lose() }
        watch()
    }

    /// The results of one statement are complete, or those of a script.
    private func endResult() {
        guard let work, work.batch.endsWithResults, unsafe PQstatus(connection) == CONNECTION_OK else { return }
        unsafe PQenterPipelineMode(connection)
        finish()
    }

    private func take(_ result: OpaquePointer) {
        let action = unsafe work?.batch.handle(Self.reply(result)) ?? .none
        switch action {
        case .none: break
        case .confirm(let statement, let name): statements.confirm(statement, as: name)
        case .appendRows: unsafe work?.rows.append(PostgresRows(copying: result))
        case .finish: finish()
        }
    }

    private static func reply(_ result: OpaquePointer) -> PostgresBatch.Reply {
        switch unsafe PQresultStatus(result) {
        case PGRES_PIPELINE_SYNC: return .synchronised
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK: return .completed
        case PGRES_PIPELINE_ABORTED: return .aborted
        case _:
            // Safety: the field is a string of libpq that lives as long as the result.
            let state = unsafe PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { unsafe String(cString: $0) }
            return .failed(state: state)
        }
    }

    private func finish() {
        guard let work = work.take() else { return }
        guard let failure = work.batch.failure else { return work.completion(.success(work.rows)) }
        if failure.isStaleSession { close() }
        work.completion(.failure(.server(failure)))
    }

    private func watch() {
        do {
            let isFlushed = unsafe PQflush(connection) == 0
            try poll?.watch(for: isFlushed ? .readable : [.readable, .writable])
        } catch {
            lose()
        }
    }

    // MARK: The end

    private func lose() { end(.connectionLost) }

    /// Closes the connection; a batch under way fails as closed.
    package func close() { end(.closed) }

    private func end(_ error: PostgresError) {
        loop.assertCurrent()
        guard !isClosed else { return }
        isClosed = true
        poll?.close()
        poll = nil
        unsafe PQfinish(connection)
        let work = work.take()
        let onClose = onClose.take()
        onClose?()
        work?.completion(.failure(error))
    }
}
