import Application
import ArchiveSupport
import Domain
import EventLoop
import Persistence
import PostgresClient
import Shared
import TestSupport
import Testing

@Suite("Migrations", .tags(.integration), .timeLimit(.minutes(2)))
struct MigrationTests {
    private static let first = Migration(1, "one", Array("CREATE TABLE one (id int); INSERT INTO one VALUES (1)".utf8))
    private static let second = Migration(2, "two", Array("ALTER TABLE one ADD COLUMN name text".utf8))

    @Test("what is missing is applied in order, and a second run has nothing to do")
    func idempotent() async throws {
        let database = try PostgresServer.shared.get().database()
        #expect(try await migrate(database, [Self.first]) == ["0001_one"])
        #expect(try await migrate(database, [Self.first, Self.second]) == ["0002_two"])
        #expect(try await migrate(database, [Self.first, Self.second]) == [])
        #expect(try database.sql("SELECT id, name IS NULL FROM one") == "1|t")
    }

    @Test("ten at once apply everything once")
    func concurrent() async throws {
        let database = try PostgresServer.shared.get().database()
        let applied = try await withThrowingTaskGroup(of: [String].self) { group in
            for _ in 0..<10 { group.addTask { try await migrate(database, [Self.first, Self.second]) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(applied.sorted() == ["0001_one", "0002_two"])
        #expect(try database.sql("SELECT count(*) FROM one") == "1")
    }

    @Test("ten at once apply everything once by way of a pooler that gives each transaction another session")
    func pooled() async throws {
        let database = try PostgresServer.shared.get().database()
        let pooler = try PgBouncer(before: database.server, sessions: 3)
        let applied = try await withThrowingTaskGroup(of: [String].self) { group in
            for _ in 0..<10 { group.addTask { try await migrate(database, [Self.first, Self.second], pooler) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(applied.sorted() == ["0001_one", "0002_two"])
        #expect(try database.sql("SELECT count(*) FROM one") == "1")
        let locks =
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory'"
        #expect(try database.sql("\(locks) AND datname = '\(database.name)'") == "0", "no session keeps the lock")
    }

    @Test("a changed file and an unknown migration are named, and nothing is applied")
    func drift() async throws {
        let database = try PostgresServer.shared.get().database()
        _ = try await migrate(database, [Self.first])
        let changed = Migration(1, "one", Array("CREATE TABLE one (id int8)".utf8))
        await #expect(throws: MigrationFailure.changed("0001_one")) {
            try await migrate(database, [changed, Self.second])
        }
        _ = try await migrate(database, [Self.first, Self.second])
        await #expect(throws: MigrationFailure.unknown("0002_two")) { try await migrate(database, [Self.first]) }
        #expect(try database.sql("SELECT count(*) FROM schema_migrations") == "2")
    }

    @Test("a refused migration is undone as a whole, those before it stay")
    func refused() async throws {
        let database = try PostgresServer.shared.get().database()
        let bad = Migration(2, "bad", Array("CREATE TABLE two (id int); SELECT 1 / 0".utf8))
        await #expect(throws: MigrationFailure.refused("0002_bad", state: "22012")) {
            try await migrate(database, [Self.first, bad])
        }
        #expect(try database.sql("SELECT number FROM schema_migrations") == "1")
        #expect(try database.sql("SELECT to_regclass('two') IS NULL") == "t")
    }

    @Test("without a server the failure says where it was looked for")
    func unreachable() async throws {
        let port = try LoopbackSocket.freePort()
        let failure = try await onLoop { loop in
            let url = "postgres://lemma:secret@127.0.0.1:\(port)/lemma"
            let configuration = try PostgresConfiguration(uri: url, applicationName: "lemma-test")
            do throws(MigrationFailure) {
                _ = try await Migrator(configuration, on: loop).migrate()
                return ""
            } catch {
                return error.description
            }
        }
        #expect(failure.contains("127.0.0.1") && failure.contains("\(port)") && !failure.contains("secret"))
    }

    @Test("replicas of the release before keep running during the migration, and this release's records wait for it")
    func rollingUpgrade() async throws {
        let database = try PostgresServer.shared.get().database()
        _ = try await migrate(database, Array(Migration.all.prefix(1)))
        let samples = Samples(user: UserID("ada"), number: 1)
        let finished = samples.finished(1, at: 0)
        try await withDatabase(database.url) { access in
            let archive = PostgresRequestArchive(
                access,
                identifiers: IdentifierFactory(clock: SampleClock(), random: SampleRandom()),
            )
            await #expect(throws: ArchiveFailure.unavailable) { try await archive.add([.finished(finished)]) }
            await #expect(throws: RepositoryFailure.unavailable) {
                _ = try await archive.find(finished.request.correlationID, of: samples.user)
            }
            // As the release before has it prepared on its connections.
            let earlier = PostgresStatement("SELECT * FROM answered_requests WHERE user_id = $1")
            func rows() async throws -> Int {
                try await access.run([earlier(.text("ada"))], within: .seconds(20), mayRepeat: false)[0].count
            }
            #expect(try await rows() == 0)
            #expect(try await migrate(database, Migration.all) == Migration.all.dropFirst().map(\.title))
            #expect(try await rows() == 0)
            try await archive.add([.finished(finished)])
            #expect(try await rows() == 1)
            // What the release before wrote has no ids.
            try database.sql("UPDATE ai_responses SET end_id = NULL, before_end_id = NULL")
            guard case .finished(let kept, _) = try await archive.find(finished.request.correlationID, of: samples.user)
            else { throw NeverHappened(what: "what was kept") }
            #expect(kept.ending == nil && kept.answer == finished.answer)
        }
    }

    @Test("replicas of release 1.2 go on archiving over the migration of accounts, with the statements that they have")
    func accounts() async throws {
        let database = try PostgresServer.shared.get().database()
        _ = try await migrate(database, Array(Migration.all.prefix(3)))
        try await withDatabase(database.url) { access in
            // As release 1.2 has them.
            let open = PostgresStatement(
                """
                INSERT INTO conversations (id, user_id, created_at, updated_at, title)
                SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $3::timestamptz[], $2::text[]) AS c (id)
                ORDER BY c.id
                ON CONFLICT (id) DO NOTHING
                """
            )
            let keep = PostgresStatement(
                """
                INSERT INTO math_requests AS known (id, conversation_id, user_id, problem, status, created_at, updated_at,
                    on_disconnect, on_busy)
                SELECT r.*, 'continue', 'enqueue' FROM unnest($1::uuid[], $1::uuid[], $2::text[], $2::text[], $4::text[],
                    $3::timestamptz[], $3::timestamptz[]) AS r (id, conversation_id, user_id)
                JOIN conversations AS c ON c.id = r.conversation_id AND c.user_id = r.user_id AND c.deleted_at IS NULL
                ORDER BY r.id
                ON CONFLICT (id) DO UPDATE SET status = excluded.status, updated_at = excluded.updated_at
                WHERE known.status = 'queued' AND excluded.status <> 'queued'
                """
            )
            func archive(_ number: UInt64, _ status: String) async throws {
                let columns: [PostgresValue] = [
                    .uuids([PostgresUUID(high: 0x7000, low: number)]), .texts(["anonymous"]),
                    .timestamps([PostgresTimestamp(milliseconds: Samples.time(0).milliseconds)]),
                ]
                let calls = [PostgresCall(open, columns), PostgresCall(keep, columns + [.texts([status])])]
                _ = try await access.run(calls, within: .seconds(20), mayRepeat: false)
            }
            try await archive(1, "queued")
            #expect(try await migrate(database, Migration.all) == ["0004_accounts"])
            try await archive(1, "cancelled")
            try await archive(2, "queued")
            #expect(try database.sql("SELECT status FROM math_requests ORDER BY id") == "cancelled\nqueued")
            let usage = PostgresUsageRepository(access)
            let days = UTCDay(number: 0)...UTCDay(number: 100_000)
            #expect(try await usage.days(of: .anonymous, in: days).isEmpty, "they count nothing")
        }
    }

    @Test("the schema is current after this release's migrations, with later ones too, and not before")
    func state() async throws {
        let database = try PostgresServer.shared.get().database()
        try await withDatabase(database.url) { access in
            let required = Migration.all.filter(\.isRequired)
            #expect(try await access.schemaState(within: .seconds(20)) == .missing(required.map(\.title)))
            _ = try await migrate(database, Array(Migration.all.prefix(2)))
            let missing = try await access.schemaState(within: .seconds(20))
            #expect(missing == .missing(["0004_accounts"]), "the third is an index alone")
            _ = try await migrate(database, Migration.all)
            #expect(try await access.schemaState(within: .seconds(20)) == .current)
            let later = Migration(9999, "later", Array("SELECT 1".utf8))
            _ = try await migrate(database, Migration.all + [later])
            #expect(try await access.schemaState(within: .seconds(20)) == .current)
            try database.sql("UPDATE schema_migrations SET checksum = 'x' WHERE number = 1")
            #expect(try await access.schemaState(within: .seconds(20)) == .missing([Migration.all[0].title]))
        }
    }
}

func migrate(
    _ database: PostgresTestDatabase,
    _ migrations: [Migration],
    _ pooler: PgBouncer? = nil
) async throws -> [String] {
    try await onLoop { loop in
        let url = pooler?.url(database) ?? database.url
        var configuration = try PostgresConfiguration(uri: url, applicationName: "lemma-test")
        configuration.connectLimit = .seconds(30)
        return try await Migrator(configuration, on: loop, migrations: migrations).migrate().map(\.title)
    }
}

/// Runs `body` with a pool on a loop of its own.
func withDatabase<Result: Sendable>(
    _ url: String,
    _ body: (PostgresDatabase) async throws -> Result
) async throws -> Result {
    let group = LoopGroup(count: 1)
    defer { group.stop() }
    let database = try await group.loops[0].run { loop in
        var configuration = try PostgresConfiguration(uri: url, applicationName: "lemma-test")
        configuration.connectLimit = .seconds(30)
        return PostgresDatabase(LoopBound(PostgresPool(configuration, on: loop), of: loop))
    }
    let result: Result
    do {
        result = try await body(database)
    } catch {
        await database.close()
        throw error
    }
    await database.close()
    return result
}
