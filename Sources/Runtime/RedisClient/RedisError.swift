/// Why a command has no reply.
package enum RedisError: Error, Equatable, CustomStringConvertible {
    /// Redis replied with an error.
    case server(RedisServerError)
    /// No reply within the command's deadline; the connection was closed. The command may have been executed.
    case timedOut
    /// The connection broke after the command was written to it. The command may have been executed.
    case connectionLost
    /// There was no connection within the waiting limit, or it broke before a byte of the command left. Never sent.
    case notConnected(reason: String)
    /// Too many commands or bytes are waiting already. Never sent.
    case overloaded
    /// The waiting task was cancelled. The command may have been executed.
    case cancelled
    /// The client was closed. The command may have been executed.
    case closed

    /// A short phrase, or the error message of Redis.
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

    /// True for temporary states of the server.
    package var isRetryable: Bool { Self.retryableCodes.contains(code) }

    /// Temporary errors without a code of their own: too many clients, an operator's FUNCTION KILL.
    private static let temporary = ["max number of clients", "killed by user"]

    /// True where the connection's user lacks a permission (ACL), for the command itself or within a function: every retry
    /// fails until an operator grants it.
    package var isMissingPermission: Bool {
        code == "NOPERM" || message.contains("The user executing the script can't")
    }

    /// True where the same command on the same keys fails again on any connection: a key of another type, or an error in a
    /// function.
    package var isPermanent: Bool {
        switch code {
        case "WRONGTYPE", "CROSSSLOT": true
        case "ERR": !isMissingPermission && !isFunctionNotFound && !Self.temporary.contains { message.contains($0) }
        default: false
        }
    }

    /// True when the called function is not in Redis, so its library must be loaded (again).
    package var isFunctionNotFound: Bool { message == "ERR Function not found" }
}
