import EventLoop
import FoundationEssentials
import Glibc
import Instrumentation
import LemmaSettings
import Lifecycle
import PostgresClient
import RedisClient
import Settings
import Telemetry

/// The serving commands: `dev`, `api` and `worker`.
enum Serving {
    /// Short, so that Ctrl-C ends a development server at once.
    private static let developmentGrace = Duration.seconds(2)

    /// Serves in `role` until a signal.
    ///
    /// Throws the error that prevented the start, with a sentence for the operator.
    static func run(_ loaded: LoadedConfiguration, role: Role) async throws {
        var configuration = loaded.configuration
        let logger = logger(configuration)
        for warning in loaded.warnings { logger.warning("configuration", ["warning": .string(warning)]) }
        let loops = LoopGroup(count: configuration.eventLoops)
        defer { loops.stop() }
        switch role {
        case .api:
            try await Replica.run(
                configuration,
                roles: [.api],
                stores: try stores(configuration),
                loops: loops,
                logger: logger,
            )
        case .worker:
            try await Replica.run(
                configuration,
                roles: [.worker],
                stores: try stores(configuration),
                loops: loops,
                logger: logger,
            )
        case .dev:
            let lock = try FolderLock.acquire(".lemma")
            configuration.drainGrace = min(configuration.drainGrace, developmentGrace)
            if configuration.auth.jwtSecrets.isEmpty {
                configuration.auth.jwtSecrets = [try DevelopmentSecret.load(".lemma")]
            }
            let scheme = configuration.http.tlsCertificate == nil ? "http" : "https"
            let (stores, supporting) = try developmentStores(configuration, on: loops.loops[0], logger)
            try await Replica.run(
                configuration,
                roles: [.worker, .api],
                stores: stores,
                loops: loops,
                logger: logger,
                supporting: supporting,
                // The terminal was closed: a development server ends with it.
                reloadsAtHangUp: false,
            ) { port in
                let origin = "\(scheme)://127.0.0.1:\(port)"
                print("Lemma is ready: open \(origin)/ or run: lemma ask --url \(origin) \"2x + 3 = 7\"")
                fflush(nil)
            }
            withExtendedLifetime(lock) {}
        case .client:
            preconditionFailure("a client command serves nothing")
        }
    }

    /// Private servers for the stores that the configuration does not name, and the services that run them.
    private static func developmentStores(
        _ configuration: Configuration,
        on loop: Loop,
        _ logger: Logger
    ) throws -> (Replica.Stores, [any Service]) {
        var services: [any Service] = []
        if configuration.redis.url == nil { services.append(PrivateRedis(on: loop, logger: logger)) }
        if configuration.database.url == nil { services.append(PrivatePostgres(on: loop, logger: logger)) }
        let stores = Replica.Stores(
            redis: configuration.redis.url == nil ? PrivateRedis.url : try redis(configuration),
            database: configuration.database.url?.reveal() ?? PrivatePostgres.uri,
        )
        let name = configuration.otel.serviceName
        let postgres = try PostgresConfiguration(uri: stores.database, applicationName: name)
        services.append(MigrationService(postgres, on: loop, logger: logger))
        return (stores, services)
    }

    private static func stores(_ configuration: Configuration) throws -> Replica.Stores {
        guard let database = configuration.database.url else { throw StartFailure("DATABASE_URL is required") }
        return Replica.Stores(redis: try redis(configuration), database: database.reveal())
    }

    /// The address of Redis, which ``SettingChecks`` has validated.
    static func redis(_ configuration: Configuration) throws -> RedisURL {
        guard let url = configuration.redis.url else { throw StartFailure("REDIS_URL is required") }
        return try RedisURL(url.reveal())
    }

    private static func logger(_ configuration: Configuration) -> Logger {
        let output = LogOutput(
            descriptor: STDOUT_FILENO,
            service: configuration.otel.serviceName,
            version: ReplicaDependencies.version,
            level: LogLevel(configuration),
            format: LogFormat(rawValue: configuration.logging.format.rawValue) ?? .json,
        )
        return Logger(output: output)
    }
}
