package import EventLoop
package import PostgresClient

/// Why a migration failed.
package enum MigrationFailure: Error, Equatable, CustomStringConvertible {
    case unreachable(reason: String)
    /// Another process holds the lock for longer than the limit.
    case locked
    /// An applied migration differs from this release's file of that number.
    case changed(String)
    /// The database has a migration that this release does not have.
    case unknown(String)
    /// PostgreSQL rejected a migration, which was rolled back.
    case refused(String, state: String)
    /// The connection broke, or a migration exceeded its limit; the running migration is rolled back.
    case interrupted

    package var description: String {
        switch self {
        case .unreachable(let reason): "PostgreSQL cannot be reached: \(reason)"
        case .locked: "another process has been migrating this database for minutes; try again when it is done"
        case .changed(let title):
            "migration \(title) was applied with another content than this release has: run the release that applied "
                + "it, or restore the file; released migrations never change"
        case .unknown(let title):
            "the database has migration \(title), which this release does not know: run lemma migrate of the newer "
                + "release"
        case .refused(let title, let state):
            "migration \(title) was refused by PostgreSQL and undone (SQLSTATE \(state))"
        case .interrupted: "the connection to PostgreSQL broke; what was not finished is undone, run it again"
        }
    }
}

/// Applies the missing migrations of this release, each in a transaction of its own.
///
/// Idempotent, and safe for concurrent processes: an advisory lock serializes them, and the later ones find the migrations
/// applied. The lock belongs to the transaction, because a pooler may share the session between transactions.
package struct Migrator {
    /// An arbitrary number that never changes: "lemma" in ASCII.
    private static let lockNumber: Int64 = 0x6C_656D_6D61
    private static let lockLimit = Duration.seconds(120)
    private static let migrationLimit = Duration.seconds(3600)
    private static let callLimit = Duration.seconds(30)

    private let configuration: PostgresConfiguration
    private let loop: Loop
    private let migrations: [Migration]

    package init(_ configuration: PostgresConfiguration, on loop: Loop, migrations: [Migration] = Migration.all) {
        self.configuration = configuration
        self.loop = loop
        self.migrations = migrations
    }

    /// Applies the missing migrations and returns them.
    package func migrate() async throws(MigrationFailure) -> [Migration] {
        let connection: PostgresConnection
        do {
            connection = try await PostgresConnection.open(configuration, on: loop)
        } catch {
            throw failure(error, in: nil)
        }
        // Also ends the transaction and the lock after an error.
        defer { connection.close() }
        var applied: [Migration] = []
        while true {
            try await begin(over: connection)
            guard let next = try await missing(connection).first else { break }
            try await apply(next, over: connection)
            applied.append(next)
        }
        try await call([Statements.commit()], over: connection)
        return applied
    }

    /// Begins a transaction and takes the lock.
    private func begin(over connection: PostgresConnection) async throws(MigrationFailure) {
        try await call([Statements.begin()], over: connection)
        do {
            _ = try await connection.call([Statements.lock(.integer(Self.lockNumber))], within: Self.lockLimit)
        } catch {
            throw error == .timedOut ? .locked : failure(error, in: nil)
        }
    }

    private func call(
        _ calls: [PostgresCall],
        over connection: PostgresConnection
    ) async throws(MigrationFailure) {
        do {
            _ = try await connection.call(calls, within: Self.callLimit)
        } catch {
            throw failure(error, in: nil)
        }
    }

    private func missing(_ connection: PostgresConnection) async throws(MigrationFailure) -> [Migration] {
        let applied: [AppliedMigration]
        do {
            let calls = [Statements.createTable(), AppliedMigration.read()]
            applied = AppliedMigration.all(try await connection.call(calls, within: Self.callLimit)[1])
        } catch {
            throw failure(error, in: nil)
        }
        for step in applied {
            guard let known = migrations.first(where: { $0.number == step.number }) else { throw .unknown(step.title) }
            guard known.checksum == step.checksum else { throw .changed(step.title) }
        }
        return migrations.filter { migration in !applied.contains { $0.number == migration.number } }
    }

    private func apply(_ migration: Migration, over connection: PostgresConnection) async throws(MigrationFailure) {
        do {
            try await connection.call(migration.script, within: Self.migrationLimit)
            let record = Statements.record(
                .integer(Int64(migration.number)),
                .text(migration.name),
                .text(migration.checksum),
            )
            _ = try await connection.call([record, Statements.commit()], within: Self.callLimit)
        } catch {
            throw failure(error, in: migration)
        }
    }

    private func failure(_ error: PostgresError, in migration: Migration?) -> MigrationFailure {
        switch error {
        case .unreachable(let reason): .unreachable(reason: reason)
        case .server(let error): .refused(migration?.title ?? "of the list of migrations", state: error.state)
        case .exhausted, .timedOut, .connectionLost, .cancelled, .closed: .interrupted
        }
    }

    private enum Statements {
        static let lock = PostgresStatement("SELECT pg_advisory_xact_lock($1)")
        static let begin = PostgresStatement("BEGIN")
        static let commit = PostgresStatement("COMMIT")
        static let createTable = PostgresStatement(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                number bigint PRIMARY KEY,
                name text NOT NULL,
                checksum text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )
        static let record = PostgresStatement(
            "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)"
        )
    }
}
