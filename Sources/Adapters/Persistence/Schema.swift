package import PostgresClient

/// The state of a database's schema, compared with this release.
package enum SchemaState: Sendable, Equatable {
    /// Every migration of this release is applied; later ones may be too, during the rollout of a newer release.
    case current
    /// Titles of the required migrations that are missing, or applied with another content.
    case missing([String])
}

/// An applied migration.
struct AppliedMigration {
    let number: Int
    let name: String
    let checksum: String

    var title: String { Migration.title(number, name) }

    static let read = PostgresStatement("SELECT number, name, checksum FROM schema_migrations ORDER BY number")

    static func all(_ rows: PostgresRows) -> [AppliedMigration] {
        rows.map { row in
            AppliedMigration(
                number: Int(row.integer(0) ?? 0),
                name: row.text(1) ?? "",
                checksum: row.text(2) ?? "",
            )
        }
    }
}

extension PostgresDatabase {
    /// Reads the state of the schema within `limit`; in a new database every migration is missing.
    package func schemaState(within limit: Duration) async throws(PostgresError) -> SchemaState {
        let applied: [AppliedMigration]
        do throws(PostgresError) {
            applied = AppliedMigration.all(try await run([AppliedMigration.read()], within: limit, mayRepeat: true)[0])
        } catch {
            guard error == .server(.undefinedTable) else { throw error }
            applied = []
        }
        let missing = Migration.all.filter { migration in
            migration.isRequired
                && !applied.contains { $0.number == migration.number && $0.checksum == migration.checksum }
        }
        return missing.isEmpty ? .current : .missing(missing.map(\.title))
    }
}

extension PostgresServerError {
    fileprivate static let undefinedTable = PostgresServerError(state: "42P01")
}
