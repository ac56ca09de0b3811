package import EventLoop

/// The pool of the process, from any loop: every call runs on the pool's loop and returns to the caller's.
///
/// There is one pool per process, because a connection is a process on the server: a pool per loop would multiply the
/// server's processes by the cores.
package struct PostgresDatabase: Sendable {
    private let pool: LoopBound<PostgresPool>

    package init(_ pool: LoopBound<PostgresPool>) { self.pool = pool }

    /// See ``PostgresPool/run(_:within:mayRepeat:)``.
    package func run(
        _ calls: [PostgresCall],
        within limit: Duration,
        mayRepeat: Bool
    ) async throws(PostgresError) -> [PostgresRows] {
        do {
            return try await pool.loop.run { _ in
                try await pool.onLoop.run(calls, within: limit, mayRepeat: mayRepeat)
            }
        } catch let error as PostgresError {
            throw error
        } catch {
            throw .cancelled
        }
    }

    /// See ``PostgresPool/close()``.
    package func close() async {
        try? await pool.loop.run { _ in pool.onLoop.close() }
    }
}
