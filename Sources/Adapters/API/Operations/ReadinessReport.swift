package import Application
internal import Shared
internal import Time

/// Reports the state of a process.
package protocol HealthReporter {
    /// True while every event loop turns, whatever the dependencies do.
    var loopsTurn: Bool { get }
    /// Asks the dependencies; returns within the time limit of one Redis command.
    func readiness() async -> ReadinessReport
}

/// The state in which a replica last found one of the servers that it depends on.
package enum DependencyCheck: Sendable, Equatable {
    /// The round trip of a query, or of a write where the server must accept writes.
    case up(milliseconds: Double)
    /// The reason of the failure; holds no secret.
    case down(reason: String)

    package var isUp: Bool {
        switch self {
        case .up: true
        case .down: false
        }
    }
}

/// The content of `/readyz` (contract, section 9).
package struct ReadinessReport: Sendable {
    /// Why the replica should get no traffic; nil when it is ready.
    package var reason: String?
    package var redis: DependencyCheck
    package var postgres: DependencyCheck
    /// The providers by name, each with the state of its circuit breaker.
    package var providers: [(name: String, state: String)]
    /// The records that wait for PostgreSQL; nil where this process writes none.
    package var backlog: RecordBacklog?
    /// What an operator should change although the replica is ready.
    package var warnings: [String]

    package init(
        reason: String?,
        redis: DependencyCheck,
        postgres: DependencyCheck,
        providers: [(name: String, state: String)],
        backlog: RecordBacklog?,
        warnings: [String] = []
    ) {
        self.reason = reason
        self.redis = redis
        self.postgres = postgres
        self.providers = providers
        self.backlog = backlog
        self.warnings = warnings
    }

    package var isReady: Bool { reason == nil }

    var json: [UInt8] {
        JSONWriter.object { json in
            json.member("status", isReady ? "ready" : "not_ready")
            json.member("reason", reason)
            if !warnings.isEmpty { json.member("warnings", array: warnings) { $0.string($1) } }
            json.member("checks", object: writeChecks)
        }
    }

    private func writeChecks(_ json: inout JSONWriter) {
        json.member("redis", object: { Self.write(redis, &$0) })
        json.member("postgres", object: { Self.write(postgres, &$0) })
        if let backlog {
            json.member(
                "persister",
                object: { json in
                    json.member("waiting", backlog.records)
                    json.member("oldestMs", Int(backlog.age.wholeMilliseconds))
                },
            )
        }
        json.member(
            "providers",
            object: { json in
                for (name, state) in providers { json.member(dynamic: name, state) }
            },
        )
    }

    private static func write(_ check: DependencyCheck, _ json: inout JSONWriter) {
        json.member("status", check.isUp ? "up" : "down")
        switch check {
        case .up(let milliseconds): json.member("latencyMs", milliseconds)
        case .down(let reason): json.member("reason", reason)
        }
    }
}
