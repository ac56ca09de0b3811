/// Why a batch of statements has no result.
///
/// No case holds SQL, a parameter or a password.
package enum PostgresError: Error, Equatable, Sendable, CustomStringConvertible {
    /// No connection came about; the batch was never sent. The reason names host and cause.
    case unreachable(reason: String)
    /// All connections of the pool were busy up to the waiting limit, or too many wait already. It was never sent.
    case exhausted
    /// No result within the deadline; the server was asked to cancel. It may have been executed.
    case timedOut
    /// The connection broke after the batch was handed to it. It may have been executed.
    case connectionLost
    /// The server refused a statement; the whole batch was undone.
    case server(PostgresServerError)
    /// The waiting task was cancelled, and so was the batch if it had begun. It may have been executed.
    case cancelled
    /// The pool was closed. It may have been executed.
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

    /// True where the same batch may succeed if it is sent again at once, over another connection if need be.
    var isWorthRepeating: Bool {
        switch self {
        case .connectionLost: true
        case .server(let error): error.kind == .conflicting
        case .unreachable, .exhausted, .timedOut, .cancelled, .closed: false
        }
    }
}

/// An error that the server answered, by its SQLSTATE (PostgreSQL manual, appendix A).
///
/// The server's sentence is not kept: it may quote what was to be stored.
package struct PostgresServerError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Kind: Sendable {
        /// The server, or the schema as it is now, cannot do it; later it may.
        case unavailable
        /// Another transaction or a limit of time came in between, or the connection's state is stale: try again.
        case conflicting
        /// These data can never be stored: a value, a constraint or a limit refuses them.
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

    /// True where the connection must not be used again: a prepared statement is gone or has another meaning by now, or
    /// the server has become a replica.
    var isStaleSession: Bool { state == "26000" || state == "0A000" || state == "25006" }

    package var description: String { "SQLSTATE \(state)" }
}
