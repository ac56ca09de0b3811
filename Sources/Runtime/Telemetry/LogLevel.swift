/// The severity of a log line, least severe first.
package enum LogLevel: String, Sendable, CaseIterable, Comparable {
    /// Per token or packet; off in production.
    case trace
    /// Details for debugging.
    case debug
    /// Information for operators in normal operation.
    case info
    /// A failure that the program recovered from.
    case warning
    /// A failure that the program did not recover from.
    case error

    /// Position in the order of severity, from 0.
    package var severity: UInt8 {
        switch self {
        case .trace: 0
        case .debug: 1
        case .info: 2
        case .warning: 3
        case .error: 4
        }
    }

    /// True if `left` is less severe.
    package static func < (left: Self, right: Self) -> Bool { left.severity < right.severity }
}
