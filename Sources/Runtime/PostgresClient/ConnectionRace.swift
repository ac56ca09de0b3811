internal import CPostgres
internal import EventLoop

/// Opens one connection to the first of several places that responds.
///
/// libpq moves to the next address only after the system's own timeout, which takes minutes. So there are several
/// candidates; each begins with another place and continues with all others in order, as `target_session_attrs` may need.
/// ```
///  candidate 1: socket ──► startup, authentication, session ──► open: the others are closed
///                 │ no socket of any candidate connected within 250 ms
///                 └► candidate 2: socket ──► …
/// ```
/// Loop-owned; for one connection.
///
/// Safety: `@safe` because each connection is freed once, by the race, or is returned to the caller, which owns it.
@safe final class ConnectionRace {
    private static let stagger = Duration.milliseconds(250)

    /// Safety: `@safe` because the race closes the connection of each candidate that it does not return.
    @safe private final class Candidate {
        let connection: OpaquePointer
        var poll: SocketPoll?

        init(_ connection: OpaquePointer) { unsafe self.connection = unsafe connection }

        var hasSocket: Bool { unsafe PQstatus(connection) != CONNECTION_STARTED }
    }

    private let loop: Loop
    private var waiting: ArraySlice<ConnectionTarget>
    private var candidates: [Candidate] = []
    private var starts: LoopTimer?
    private let outcome: OneShot<Result<OpaquePointer, PostgresError>>

    /// One candidate for each target; at least one.
    init(_ targets: [ConnectionTarget], on loop: Loop) {
        self.loop = loop
        waiting = targets[...]
        unsafe outcome = OneShot(loop: loop)
    }

    /// Returns the connection, which the caller owns; throws `unreachable` or `cancelled`.
    func run(until deadline: ContinuousClock.Instant) async throws(PostgresError) -> OpaquePointer {
        let timer = loop.schedule(after: deadline - .now) { self.timeOut() }
        starts = loop.schedule(every: Self.stagger) { [unowned self] in
            if !candidates.contains(where: \.hasSocket) { startNext() }
        }
        defer {
            timer.close()
            end()
        }
        startNext()
        let result: Result<OpaquePointer, PostgresError>
        do {
            unsafe result = unsafe try await outcome.value()
        } catch {
            throw .cancelled
        }
        return unsafe try result.get()
    }

    private func startNext() {
        guard unsafe !outcome.isSettled, let target = waiting.popFirst() else { return }
        guard let connection = unsafe target.start() else {
            return unsafe settle(.failure(.unreachable(reason: "out of memory")))
        }
        let candidate = unsafe Candidate(connection)
        candidates.append(candidate)
        if unsafe PQstatus(connection) == CONNECTION_BAD { failed(candidate) } else { wait(for: .writable, candidate) }
    }

    private func wait(for readiness: SocketPoll.Readiness, _ candidate: Candidate) {
        do throws(NetworkError) {
            let poll = try unsafe SocketPoll(socket: PQsocket(candidate.connection), on: loop) { [unowned self] _ in
                advance(candidate)
            }
            candidate.poll = poll
            try poll.watch(for: readiness)
        } catch {
            unsafe settle(.failure(.unreachable(reason: "\(error)")))
        }
    }

    private func advance(_ candidate: Candidate) {
        // libpq may replace the socket in each step, so it is watched for one step at a time.
        candidate.poll?.close()
        candidate.poll = nil
        guard unsafe !outcome.isSettled else { return }
        switch unsafe PQconnectPoll(candidate.connection) {
        case PGRES_POLLING_OK:
            candidates.removeAll { $0 === candidate }
            unsafe settle(.success(candidate.connection))
        case PGRES_POLLING_READING: wait(for: .readable, candidate)
        case PGRES_POLLING_WRITING: wait(for: .writable, candidate)
        case _: failed(candidate)
        }
    }

    /// A server has refused it, or it has tried all places; the other candidates would fail in the same way.
    private func failed(_ candidate: Candidate) {
        unsafe settle(.failure(.unreachable(reason: PostgresConnection.errorMessage(of: candidate.connection))))
    }

    private func timeOut() {
        var places: [String] = []
        for candidate in candidates {
            let place = unsafe PQhost(candidate.connection).map { unsafe String(cString: $0) } ?? "the server"
            if !places.contains(place) { places.append(place) }
        }
        unsafe settle(.failure(.unreachable(reason: "\(places.joined(separator: ", ")): no answer in time")))
    }

    private func settle(_ result: Result<OpaquePointer, PostgresError>) {
        end()
        unsafe outcome.succeed(result)
    }

    /// Closes all candidates.
    private func end() {
        starts?.close()
        starts = nil
        waiting = []
        for candidate in candidates {
            candidate.poll?.close()
            candidate.poll = nil
            unsafe PQfinish(candidate.connection)
        }
        candidates = []
    }
}
