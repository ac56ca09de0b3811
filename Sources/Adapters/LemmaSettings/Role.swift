internal import Glibc

/// The role of a process; defaults and required settings depend on it.
package enum Role: String, Sendable, CaseIterable {
    /// API and worker in one process; requires no configuration.
    case dev
    /// An API replica.
    case api
    /// A worker replica.
    case worker
    /// A command that does not serve: `ask`, `bench`, `migrate`, …
    case client

    /// True for a replica in production, for which servers and secrets have no default.
    var isReplica: Bool {
        switch self {
        case .api, .worker: true
        case .dev, .client: false
        }
    }
}

/// Properties of the process on which defaults depend.
package struct Surroundings: Sendable {
    /// The role of the process.
    package let role: Role
    /// Whether standard output is a terminal.
    package let isTerminal: Bool
    /// Number of processors, at least 1.
    package let processors: Int

    /// `processors` is by default the number of processors that are online.
    package init(role: Role, isTerminal: Bool = false, processors: Int? = nil) {
        self.role = role
        self.isTerminal = isTerminal
        self.processors = max(1, processors ?? Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    }
}
