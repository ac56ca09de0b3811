package import Application
package import EventLoop
package import HTTPServer
package import Shared
package import Telemetry
internal import Time

/// Answers the operations port: health, metrics and the log's level, API and worker alike.
package final class OperationsHandler: HTTPHandler {
    private enum Endpoint {
        case health
        case readiness
        case metrics
        case showLogLevel
        case changeLogLevel
    }

    private let loop: Loop
    private let registry: MetricsRegistry
    private let health: any HealthReporter
    private let logLevel: LogLevelRoute
    private let router: Router<Endpoint>

    package init(
        loop: Loop,
        registry: MetricsRegistry,
        health: any HealthReporter,
        logLevel: LogLevelControl,
        clock: any WallClock
    ) {
        self.loop = loop
        self.registry = registry
        self.health = health
        self.logLevel = LogLevelRoute(loop: loop, control: logLevel, clock: clock)
        var router = Router<Endpoint>()
        router.add(.get, "/healthz", .health)
        router.add(.get, "/readyz", .readiness)
        router.add(.get, "/startupz", .readiness)
        router.add(.get, "/metrics", .metrics)
        router.add(.get, "/loglevel", .showLogLevel)
        router.add(.put, "/loglevel", .changeLogLevel)
        self.router = router
    }

    package func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        switch router.match(request.method, request.path) {
        case .found(.health, _, _): respondHealth(exchange)
        case .found(.readiness, _, _): respondReadiness(exchange)
        case .found(.metrics, _, _): respondMetrics(request, exchange)
        case .found(.showLogLevel, _, _): exchange.respond(logLevel.show())
        case .found(.changeLogLevel, _, _):
            do throws(APIProblem) {
                exchange.respond(try logLevel.change(request))
            } catch {
                exchange.respond(error.response(path: request.path, requestID: nil))
            }
        case .otherMethods(let methods):
            exchange.respond(
                APIProblem.otherMethods(methods, than: request.method).response(path: request.path, requestID: nil)
            )
        case .none:
            let detail = "The operations port has /healthz, /readyz, /startupz, /metrics and /loglevel."
            exchange.respond(APIProblem(.notFound, detail).response(path: request.path, requestID: nil))
        }
    }

    private func respondHealth(_ exchange: HTTPExchange) {
        let turns = health.loopsTurn
        let body = Array((turns ? "ok\n" : "an event loop is stuck\n").utf8)
        exchange.respond(
            HTTPResponse(status: turns ? 200 : 503, headers: ["Content-Type": "text/plain; charset=utf-8"], body: body)
        )
    }

    private func respondReadiness(_ exchange: HTTPExchange) {
        loop.spawn { [health] in
            let report = await health.readiness()
            exchange.respond(
                HTTPResponse(
                    status: report.isReady ? 200 : 503,
                    headers: ["Content-Type": "application/json", "Cache-Control": "no-store"],
                    body: report.json,
                )
            )
        }
    }

    private func respondMetrics(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        // For the next scrape: this one does not wait for the dependencies.
        loop.spawn { [health] in _ = await health.readiness() }
        let format = MetricsFormat.preferred(accept: request.headers["Accept"])
        exchange.respond(
            HTTPResponse(
                status: 200,
                headers: ["Content-Type": format.contentType],
                body: Array(registry.render(format).utf8),
            )
        )
    }
}

/// Says how a process is.
package protocol HealthReporter {
    /// True while every event loop turns, whatever the dependencies do.
    var loopsTurn: Bool { get }
    /// Asks the dependencies; answers within the limit of one Redis command.
    func readiness() async -> ReadinessReport
}

/// How a replica last found one of the servers that it depends on.
package enum DependencyCheck: Sendable, Equatable {
    /// The round trip of a query, or of a write where the server must take writes.
    case up(milliseconds: Double)
    /// Why it failed; holds no secret.
    case down(reason: String)

    package var isUp: Bool {
        switch self {
        case .up: true
        case .down: false
        }
    }
}

/// What `/readyz` says (contract, section 9).
package struct ReadinessReport: Sendable {
    /// Why the replica should get no traffic; nil when it is ready.
    package var reason: String?
    package var redis: DependencyCheck
    package var postgres: DependencyCheck
    /// The providers by name, each with its breaker's state.
    package var providers: [(name: String, state: String)]
    /// What waits for PostgreSQL; nil where this process writes nothing there.
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
            json.member(
                "checks",
                object: { json in
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
                },
            )
        }
    }

    private static func write(_ check: DependencyCheck, _ json: inout JSONWriter) {
        json.member("status", check.isUp ? "up" : "down")
        switch check {
        case .up(let milliseconds): json.member("latencyMs", milliseconds)
        case .down(let reason): json.member("reason", reason)
        }
    }
}
