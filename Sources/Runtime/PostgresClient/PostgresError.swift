/// Why a batch of statements has no result.
///
/// No case holds SQL, a parameter or a password.
package enum PostgresError: Error, Equatable, Sendable, CustomStringConvertible {
    /// No connection could be opened; the batch was never sent. The reason names host and cause.
    case unreachable(reason: String)
    /// All connections of the pool were busy up to the deadline, or too many callers wait already. Never sent.
    case exhausted
    /// No result within the deadline; the pool asks the server to cancel. The batch may have been executed.
    case timedOut
    /// The connection broke after the batch was passed to it. The batch may have been executed.
    case connectionLost
    /// The server rejected a statement; the whole batch was rolled back.
    case server(PostgresServerError)
    /// The waiting task was cancelled, and so was the batch if it had begun. The batch may have been executed.
    case cancelled
    /// The pool was closed. The batch may have been executed.
    case closed

    /// A short phrase.
    package var description: String {
        switch self {
        case .unreachable(let reason): reason
        case .exhausted: "all connections are busy"
        case .timedOut: "no answer in time"
        case .connectionLost: "the connection broke"
        case .server(let error): "\(error)"
        case .cancelled: "cancelled"
        case .closed: "closed"
        }
    }

    /// True where the same batch may succeed if it is repeated at once, over another connection where necessary.
    var isWorthRepeating: Bool {
        switch self {
        case .connectionLost: true
        case .server(let error): error.kind == .conflicting
        case .unreachable, .exhausted, .timedOut, .cancelled, .closed: false
        }
    }
}

/// An error of the server, by its SQLSTATE (PostgreSQL manual, appendix A).
///
/// Without the server's message, which may quote the data to be stored.
package struct PostgresServerError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Kind: Sendable {
        /// The server, or the schema in its present state, cannot execute the statement; it may later.
        case unavailable
        /// A concurrent transaction or a timeout interfered, or the session is stale: retry.
        case conflicting
        /// These data can never be stored: a type, a constraint or a limit rejects them.
        case refused
    }

    /// Five characters, such as `23505`.
    package let state: String

    package init(state: String) { self.state = state }

    package var kind: Kind {
        switch state {
        case "40001", "40P01", "55P03", "57014": .conflicting
        case _ where isStaleSession: .conflicting
        case _ where ["21", "22", "23", "54"].contains(state.prefix(2)): .refused
        case _: .unavailable
        }
    }

    /// True where the connection must not be used again: a prepared statement is missing or has changed its meaning, or the
    /// server has become a replica.
    var isStaleSession: Bool { state == "26000" || state == "0A000" || state == "25006" }

    package var description: String { "SQLSTATE \(state)" }
}
