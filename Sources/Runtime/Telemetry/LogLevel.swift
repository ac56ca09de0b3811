/// How severe a log line is, least first.
package enum LogLevel: String, Sendable, CaseIterable, Comparable {
    /// Per token or packet; off in operation.
    case trace
    /// What helps to find a fault.
    case debug
    /// What an operator wants to know in ordinary operation.
    case info
    /// Something went wrong and was made good.
    case warning
    /// Something went wrong and was not made good.
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

    /// Whether `left` is less severe.
    package static func < (left: Self, right: Self) -> Bool { left.severity < right.severity }
}
