import EventLoop
import Lifecycle
import Persistence
import PostgresClient
import Telemetry

/// Closes the process's connections to PostgreSQL after all services that use them.
final class DatabaseService: Service {
    let name = "database"
    private let database: PostgresDatabase

    init(_ database: PostgresDatabase) { self.database = database }

    func run(started: @escaping @Sendable () -> Void) async throws {
        started()
        await untilCancelled()
        await Task { [database] in await database.close() }.value
        throw CancellationError()
    }
}

/// Migrates the schema before the services that need it start; only in `lemma dev`.
final class MigrationService: Service {
    let name = "migrations"
    private let configuration: PostgresConfiguration
    private let loop: Loop
    private let logger: Logger

    init(_ configuration: PostgresConfiguration, on loop: Loop, logger: Logger) {
        self.configuration = configuration
        self.loop = loop
        self.logger = logger
    }

    var limits: ServiceLimits { ServiceLimits(start: .seconds(120)) }

    func run(started: @escaping @Sendable () -> Void) async throws {
        let applied = try await loop.run { [configuration] loop in
            try await Migrator(configuration, on: loop).migrate()
        }
        for migration in applied { logger.info("migration applied", ["migration": .string(migration.title)]) }
        started()
        await untilCancelled()
        throw CancellationError()
    }
}
