import API
import Cryptography
import EventLoop
import FoundationEssentials
import Infrastructure
import Instrumentation
import LemmaSettings
import Lifecycle
import POSIX
import Persistence
import PostgresClient
import RedisClient
import Settings
import Telemetry
import Tracing

/// Composes a process of its parts and runs it until a signal.
enum Replica {
    /// Serves until SIGTERM or SIGINT, then drains.
    ///
    /// The `supporting` services start first and stop last. With `reloadsAtHangUp`, SIGHUP reads files again, else it keeps its
    /// default action. Throws the error that prevented the start, or the failure of a
    /// service.
    static func run(
        _ configuration: Configuration,
        roles: [ReplicaRole],
        stores: Stores,
        loops: LoopGroup,
        logger: Logger,
        supporting: [any Service] = [],
        reloadsAtHangUp: Bool = true,
        announce: @escaping @Sendable (_ port: Int) -> Void = { _ in }
    ) async throws {
        let registry = MetricsRegistry()
        registry.registerProcess(version: ReplicaDependencies.version)
        let metrics = LemmaMetrics(registry, roles: Set(roles))
        let tracing = TracingService(
            configuration.otel,
            on: loops.loops[0],
            metrics: metrics.traces.exports,
            logger: logger,
        )
        let audit = try JSONAuditLog.ofReplica(configuration)
        metrics.replica.observeLostLogLines { logger.output.droppedLines }
        metrics.replica.observeLostAuditRecords { audit.lostRecords }
        metrics.traces.observeQueue { tracing?.queuedSpans ?? 0 }
        let dependencies = try await dependencies(
            configuration,
            stores: stores,
            loops: loops,
            metrics: metrics,
            tracer: tracing?.tracer,
            logger: logger,
            audit: audit,
            roles: roles,
        )
        let needed: [any Service] = [DatabaseService(dependencies.database), OperationsService(dependencies)]
        var services = supporting + (tracing.map { [$0] } ?? []) + needed
        for role in roles {
            switch role {
            case .api:
                let withdrawn = WithdrawnAccess()
                let access = try await AccessService(dependencies, withdrawn: withdrawn)
                let changes = PostgresAccessChanges(dependencies.database)
                services += [
                    AccessWatchService(changes, withdrawn, on: loops.loops[0]),
                    access,
                    APIService(dependencies, access: access, announce: announce),
                ]
            case .worker: services += [PersisterService(dependencies), WorkerService(dependencies)]
            }
        }
        dependencies.reloads.add {
            do throws(SystemError) {
                try audit.reopen()
            } catch {
                logger.error("audit log not opened again, the file from before stays", ["error": .error(error)])
            }
        }
        let reload: @Sendable () -> Void = { dependencies.reloads.run() }
        let group = ServiceGroup(services, logger: logger)
        try await group.run(
            onStop: { dependencies.health.beginDraining() },
            onUserSignal: { dependencies.logLevel.toggle() },
            onHangUp: reloadsAtHangUp ? reload : nil,
        )
    }

    /// Where the stores are.
    struct Stores: Sendable {
        let redis: RedisURL
        /// A libpq URI.
        let database: String
    }

    private static func dependencies(
        _ configuration: Configuration,
        stores: Stores,
        loops: LoopGroup,
        metrics: LemmaMetrics,
        tracer: Tracer?,
        logger: Logger,
        audit: JSONAuditLog,
        roles: [ReplicaRole]
    ) async throws -> ReplicaDependencies {
        let name = configuration.otel.serviceName
        var database = try PostgresConfiguration(uri: stores.database, applicationName: name)
        database.connectionsMax = configuration.database.maxConnections
        metrics.postgres.connectionsMax.set(database.connectionsMax)
        let limit = DescriptorLimit.raise()
        let descriptors = try DescriptorBudget(
            limit: limit.soft,
            configuration,
            roles: roles,
            loops: loops.loops.count,
            postgresMax: database.connectionsMax,
        )
        descriptors.note(limit, in: logger)
        let pool = try await loops.loops[0].run { [database] loop in
            let observer = CountingPostgresObserver(metrics.postgres, logger: logger)
            return LoopBound(PostgresPool(database, on: loop, observer: observer), of: loop)
        }
        return ReplicaDependencies(
            configuration: configuration,
            loops: loops,
            logger: logger,
            logLevel: LogLevelControl(logger, configured: LogLevel(configuration)),
            metrics: metrics,
            health: ProcessHealth(loops: loops.loops, metrics: metrics, logger: logger),
            redis: try RedisConfiguration(stores.redis, configuration.redis, clientName: name),
            database: PostgresDatabase(pool),
            secrets: configuration.auth.jwtSecrets.map { Array($0.reveal().utf8) },
            audit: audit,
            descriptors: descriptors,
            mockScript: try mockScript(configuration.mock.script),
            gates: gates(configuration, metrics, logger),
            tracer: tracer,
            localCredentialRates: configuration.limits.auth.map { LocalRates(RequestRate($0)) },
        )
    }

    private static func gates(
        _ configuration: Configuration,
        _ metrics: LemmaMetrics,
        _ logger: Logger
    ) -> [ProviderGate] {
        let (ai, calls) = (configuration.ai, configuration.calls)
        return ai.providers.map { provider in
            let callsMax = calls.callsMax(of: provider)
            // Where there is another provider, requests that wait for this one must not use the slots of that one's requests.
            let waiters = ai.providers.count == 1 ? Int.max : max(1, callsMax / 8)
            let measures = metrics.provider(provider.rawValue, model: model(of: provider, ai))
            let gate = ProviderGate(
                name: provider.rawValue,
                limits: ProviderGate.Limits(
                    failuresMax: calls.breakerFailures,
                    openTime: calls.breakerOpen,
                    callsMax: callsMax,
                    waitersMax: waiters,
                ),
                metrics: measures,
                logger: logger,
            )
            measures.observeBreaker {
                switch gate.state {
                case .closed: 0
                case .halfOpen: 1
                case .open: 2
                }
            }
            return gate
        }
    }

    private static func model(of provider: Configuration.AI.Provider, _ ai: Configuration.AI) -> String {
        switch provider {
        case .local: LocalClient.model
        case .mock: MockClient.model
        // Start-up has checked that there is one.
        case _: ai.endpoints[provider.rawValue]?.model ?? ""
        }
    }

    /// Reads the file of external issuers, which ``SettingChecks`` has validated.
    static func issuers(_ auth: Configuration.Auth) throws -> [IssuerRules] {
        guard let path = auth.issuersFile else { return [] }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw StartFailure("the file cannot be read")
        }
        return try IssuerFile.read(Array(data), own: auth.issuer)
    }

    /// Reads the mock provider's script, which ``SettingChecks`` has validated.
    static func mockScript(_ path: String?) throws -> MockScript {
        guard let path else { return .empty }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw StartFailure("the file cannot be read")
        }
        return try MockScript(String(decoding: data, as: UTF8.self))
    }
}

/// Why a process cannot start, as a sentence for its operator.
struct StartFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
