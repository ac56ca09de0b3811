internal import CPostgres
package import EventLoop

/// One connection to PostgreSQL: one batch or script at a time, never waiting for the socket.
///
/// ```
///  open ──► idle ──run──► busy ──all results──► idle
///              └─────────────┴── socket broken, server's FATAL, close() ──► closed
/// ```
/// A batch is sent in pipeline mode with one synchronisation point at its end, so it is one round trip and one
/// transaction: all of it is kept, or nothing.
///
/// Statements are prepared once by name, but not behind a pooler: one that gives each transaction another session, as
/// PgBouncer does with `pool_mode = transaction`, would run under that name what another client has prepared, or nothing.
/// Loop-owned.
package final class PostgresConnection {
    package typealias Completion = (Result<[PostgresRows], PostgresError>) -> Void

    /// A result that is due, in the order sent.
    private enum Due {
        case prepared(ObjectIdentifier, name: String)
        case rows
        case synchronised
    }

    private struct Work {
        var due: ArraySlice<Due>
        var rows: [PostgresRows] = []
        var failure: PostgresServerError?
        let completion: Completion
    }

    package let loop: Loop
    /// The server process behind this connection; nil where a pooler stands between, which may change it.
    package private(set) var processID: Int32?
    /// Called once, when the connection broke or was closed.
    var onClose: (() -> Void)?
    package private(set) var isClosed = false

    private let connection: OpaquePointer
    private var poll: SocketPoll?
    private var work: Work?
    private var prepared: [ObjectIdentifier: String] = [:]
    private var names = 0

    /// Takes over a connection that is made.
    init(adopting connection: OpaquePointer, on loop: Loop) throws(NetworkError) {
        self.loop = loop
        self.connection = connection
        PQsetnonblocking(connection, 1)
        // Notices would go to standard error.
        _ = PQsetNoticeProcessor(connection, { _, _ in }, nil)
        PQenterPipelineMode(connection)
        // Not weak: the poll is closed, and lets go of its action, before this object ends.
        poll = try SocketPoll(socket: PQsocket(connection), on: loop) { [unowned self] _ in advance() }
        watch()
    }

    deinit { if !isClosed { PQfinish(connection) } }

    package var isBusy: Bool { work != nil }

    private static let askProcessID = PostgresStatement("SELECT pg_backend_pid()::int8")

    /// Finds out whether the server process is the one that was announced at the start, which is a pooler's own invention.
    func learnProcessID(within limit: Duration) async throws(PostgresError) {
        let announced = PQbackendPID(connection)
        let real = try await call([Self.askProcessID()], within: limit).first?.first?.integer(0)
        processID = real == Int64(announced) ? announced : nil
    }

    // MARK: Sending

    /// Runs `calls` as one transaction and gives the rows of each; at most `limit`.
    ///
    /// After `timedOut` and `cancelled` the batch is still under way: the owner ends it, and this connection with it.
    package func call(_ calls: [PostgresCall], within limit: Duration) async throws(PostgresError) -> [PostgresRows] {
        try await outcome(within: limit) { run(calls, $0) }
    }

    /// Runs a script, which may hold transactions of its own; the same limits hold.
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
            // A deadline that passed while this loop was busy is not the server's fault: read what has arrived.
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
        var due: ArraySlice<Due> = []
        var names: [ObjectIdentifier: String] = [:]
        var isSent = true
        for call in calls where isSent {
            guard processID != nil else {
                due.append(.rows)
                isSent = execute(call, named: nil)
                continue
            }
            let identity = ObjectIdentifier(call.statement)
            if prepared[identity] == nil, names[identity] == nil {
                let name = nextName()
                names[identity] = name
                due.append(.prepared(identity, name: name))
                isSent = prepare(call, as: name)
            }
            due.append(.rows)
            isSent = isSent && execute(call, named: prepared[identity] ?? names[identity] ?? "")
        }
        due.append(.synchronised)
        work = Work(due: due, completion: completion)
        guard isSent, PQpipelineSync(connection) == 1 else { return lose() }
        advance()
    }

    /// Scripts take the simple protocol, which pipeline mode does not know.
    private func run(_ script: PostgresScript, _ completion: @escaping Completion) {
        guard !isClosed else { return completion(.failure(.connectionLost)) }
        precondition(work == nil, "a connection runs one script at a time")
        work = Work(due: [], completion: completion)
        guard PQexitPipelineMode(connection) == 1, PQsendQuery(connection, script.sql) == 1 else { return lose() }
        advance()
    }

    private func nextName() -> String {
        names += 1
        return "s\(names)"
    }

    private func prepare(_ call: PostgresCall, as name: String) -> Bool {
        let types = call.values.map(\.type)
        return call.statement.withSQL { PQsendPrepare(connection, name, $0, Int32(types.count), types) == 1 }
    }

    /// Sends a call of the prepared statement, or with the statement's text where there is no name.
    private func execute(_ call: PostgresCall, named name: String?) -> Bool {
        var bytes: [UInt8] = []
        let places = call.values.map { value in
            let start = bytes.count
            return value.append(to: &bytes) ? start..<bytes.count : nil
        }
        // Something to point at, where all values are empty.
        bytes.append(0)
        let lengths = places.map { Int32($0?.count ?? 0) }
        let formats = [Int32](repeating: 1, count: places.count)
        // Safety: libpq copies the values before the call returns.
        return bytes.withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { bytes in
                let values = places.map { place in place.flatMap { bytes.baseAddress?.advanced(by: $0.lowerBound) } }
                let count = Int32(values.count)
                if let name { return PQsendQueryPrepared(connection, name, count, values, lengths, formats, 1) == 1 }
                let types = call.values.map(\.type)
                return call.statement.withSQL { sql in
                    PQsendQueryParams(connection, sql, count, types, values, lengths, formats, 1) == 1
                }
            }
        }
    }

    // MARK: Receiving

    /// Reads and writes what the socket allows, and hands over what has become of the work.
    private func advance() {
        guard !isClosed else { return }
        guard PQconsumeInput(connection) == 1, PQflush(connection) >= 0 else { return lose() }
        // libpq looks at what the server says by itself in `PQisBusy`, so that is asked also where nothing is due.
        var endsInARow = 0
        while PQisBusy(connection) == 0, work != nil, endsInARow < 2 {
            guard let result = PQgetResult(connection) else {
                endsInARow += 1
                endResult()
                continue
            }
            endsInARow = 0
            take(result)
            PQclear(result)
        }
        guard !isClosed else { return }
        guard PQstatus(connection) == CONNECTION_OK, endsInARow < 2 || work == nil else { return lose() }
        watch()
    }

    /// libpq says that the results of one statement are complete, or those of a script.
    private func endResult() {
        guard let work, work.due.isEmpty, PQstatus(connection) == CONNECTION_OK else { return }
        PQenterPipelineMode(connection)
        finish()
    }

    private func take(_ result: OpaquePointer) {
        switch PQresultStatus(result) {
        case PGRES_PIPELINE_SYNC: finish()
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK:
            switch work?.due.popFirst() {
            case .prepared(let statement, let name): prepared[statement] = name
            case .rows: work?.rows.append(PostgresRows(copying: result))
            case .synchronised, nil: break
            }
        case PGRES_PIPELINE_ABORTED: _ = work?.due.popFirst()
        case _:
            _ = work?.due.popFirst()
            // Safety: the field is a string of libpq's, which lives as long as the result.
            let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { String(cString: $0) }
            // Without a state it is libpq's own: the connection is gone, which its status tells.
            if let state, work?.failure == nil { work?.failure = PostgresServerError(state: state) }
        }
    }

    private func finish() {
        guard let work = work.take() else { return }
        guard let failure = work.failure else { return work.completion(.success(work.rows)) }
        if failure.isStaleSession { close() }
        work.completion(.failure(.server(failure)))
    }

    private func watch() {
        do {
            let isFlushed = PQflush(connection) == 0
            try poll?.watch(for: isFlushed ? .readable : [.readable, .writable])
        } catch {
            lose()
        }
    }

    // MARK: The end

    private func lose() { end(.connectionLost) }

    /// Ends the connection; a batch under way fails as closed.
    package func close() { end(.closed) }

    private func end(_ error: PostgresError) {
        loop.assertCurrent()
        guard !isClosed else { return }
        isClosed = true
        poll?.close()
        poll = nil
        PQfinish(connection)
        let work = work.take()
        let onClose = onClose.take()
        onClose?()
        work?.completion(.failure(error))
    }
}
