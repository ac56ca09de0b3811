/// What an account may do beside its own matters.
package enum Role: String, Sendable, CaseIterable, Comparable {
    /// Solves problems; every account has it.
    case student
    /// Manages accounts, dead letters and the queue.
    case admin

    package static func < (one: Role, other: Role) -> Bool { one.rawValue < other.rawValue }
}
