package import EventLoop

/// The process's one pool, from any loop: every call travels to the pool's loop and back.
///
/// One pool for the process, because a connection is a process on the server: a pool for each loop would multiply them
/// by the cores.
package struct PostgresDatabase: Sendable {
    private let pool: LoopBound<PostgresPool>

    /// The pool's loop is its own.
    package init(_ pool: LoopBound<PostgresPool>) { self.pool = pool }

    /// What ``PostgresPool/run(_:within:mayRepeat:)`` does.
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

    /// What ``PostgresPool/close()`` does.
    package func close() async {
        try? await pool.loop.run { _ in pool.onLoop.close() }
    }
}
