internal import Console
internal import EventLoop
internal import LemmaSettings
internal import Persistence
internal import PostgresClient
internal import Settings

/// `lemma migrate`: brings the database's schema to this release's.
enum MigrateCommand {
    static let command = Command(
        CommandSpecification(
            "migrate",
            summary: "apply the database migrations",
            details: """
                Works on the PostgreSQL that DATABASE_URL names. Run it before the replicas of a new release start; again,
                or from several places at once, does no harm. What lemma dev runs is migrated by lemma dev.
                """,
        )
    ) { _ in
        let configuration = try loadConfiguration(.client).configuration
        guard let url = configuration.database.url else {
            let mistake = SettingMistake.missing(name: "DATABASE_URL", allowed: "a libpq URI such as postgres://…")
            throw ConfigurationFailure(mistakes: InvalidSettings(mistakes: [mistake]))
        }
        let postgres = try PostgresConfiguration(uri: url.reveal(), applicationName: "lemma-migrate")
        let applied = try await withLoop { loop in try await Migrator(postgres, on: loop).migrate().map(\.title) }
        for title in applied { try Output.standard.write("applied \(title)\n") }
        if applied.isEmpty { try Output.standard.write("nothing to apply\n") }
        return .success
    }
}
