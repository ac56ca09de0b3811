/// Why a command has no answer.
package enum RedisError: Error, Equatable, CustomStringConvertible {
    /// Redis answered with an error.
    case server(RedisServerError)
    /// No answer within the command's deadline; the connection was given up. It may have been executed.
    case timedOut
    /// The connection broke after the command was handed to it. It may have been executed.
    case connectionLost
    /// There was no connection within the waiting limit, or it broke before a byte of the command left. It was never sent.
    case notConnected(reason: String)
    /// Too many commands or bytes are waiting already. It was never sent.
    case overloaded
    /// The waiting task was cancelled. It may have been executed.
    case cancelled
    /// The client was closed. It may have been executed.
    case closed

    /// A short phrase; what Redis itself said, where it did.
    package var description: String {
        switch self {
        case .server(let error): "\(error)"
        case .timedOut: "no answer in time"
        case .connectionLost: "the connection broke"
        case .notConnected(let reason): reason
        case .overloaded: "too many commands are waiting"
        case .cancelled: "cancelled"
        case .closed: "closed"
        }
    }

    /// False when Redis has certainly not executed the command.
    package var mayHaveExecuted: Bool {
        switch self {
        case .timedOut, .connectionLost, .cancelled, .closed: true
        case .server, .notConnected, .overloaded: false
        }
    }

    /// True when the same command may succeed later.
    ///
    /// Where ``mayHaveExecuted`` is true too, it must be idempotent.
    package var isRetryable: Bool {
        switch self {
        case .timedOut, .connectionLost, .notConnected, .overloaded: true
        case .server(let error): error.isRetryable
        case .cancelled, .closed: false
        }
    }
}

/// An error reply of Redis, such as `WRONGTYPE Operation against a key holding the wrong kind of value`.
package struct RedisServerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The whole line as Redis sent it.
    package let message: String

    package init(message: String) { self.message = message }

    /// The first word, such as `ERR`, `WRONGTYPE` or `LOADING`.
    package var code: Substring { message.prefix { $0 != " " } }

    package var description: String { message }

    private static let retryableCodes: Set<Substring> = [
        "LOADING", "READONLY", "NOREPLICAS", "MASTERDOWN", "OOM", "CLUSTERDOWN", "TRYAGAIN", "UNBLOCKED", "MISCONF",
        "BUSY",
    ]

    /// True for states of the server that pass.
    package var isRetryable: Bool { Self.retryableCodes.contains(code) }

    /// Of errors that have no code of their own: too many clients, an operator's FUNCTION KILL.
    private static let passing = ["max number of clients", "killed by user"]

    /// True where the connection's user lacks a right (ACL), by itself or within a function: nothing works until an operator
    /// has granted it.
    package var isMissingRight: Bool {
        code == "NOPERM" || message.contains("The user executing the script can't")
    }

    /// True where the same command on the same keys fails again on any connection: a key of another type, or an error in a
    /// function.
    package var isPermanent: Bool {
        switch code {
        case "WRONGTYPE", "CROSSSLOT": true
        case "ERR": !isMissingRight && !isFunctionNotFound && !Self.passing.contains { message.contains($0) }
        default: false
        }
    }

    /// True when the called function is not in Redis, so its library must be loaded (again).
    package var isFunctionNotFound: Bool { message == "ERR Function not found" }

    /// True when EVALSHA named a script that Redis has not cached.
    package var isNoScript: Bool { code == "NOSCRIPT" }
}
