internal import Application
internal import Console
internal import Domain
internal import EventLoop
internal import FoundationEssentials
internal import Infrastructure
internal import LemmaSettings
internal import Persistence
internal import PostgresClient
internal import Settings
internal import Shared

/// The accounts of a database, for the commands of operators.
struct AccountStore: Sendable {
    /// Limit of the check of the schema, the wait for a connection included.
    private static let checkLimit = Duration.seconds(5)

    let accounts: PostgresAccountRepository
    let sessions: PostgresSessionRepository
    let keys: PostgresAPIKeyRepository
    let erasure: PostgresArchiveErasure
    let identifiers = IdentifierFactory(clock: SystemClock(), random: SecureRandomSource())

    private init(_ database: PostgresDatabase) {
        accounts = PostgresAccountRepository(database)
        sessions = PostgresSessionRepository(database)
        keys = PostgresAPIKeyRepository(database)
        erasure = PostgresArchiveErasure(database)
    }

    static var now: Timestamp { SystemClock().now() }

    /// Runs `body` on the database that DATABASE_URL names, else on that of the `lemma dev` in this folder.
    static func open(_ body: @escaping @Sendable (AccountStore) async throws -> Void) async throws {
        let configuration = try loadConfiguration(.client).configuration
        let postgres = try PostgresConfiguration(uri: try uri(configuration), applicationName: "lemma-accounts")
        try await withLoop { loop in
            let pool = PostgresPool(postgres, on: loop)
            defer { pool.close() }
            let database = PostgresDatabase(LoopBound(pool, of: loop))
            try await check(database)
            try await body(AccountStore(database))
        }
    }

    private static func uri(_ configuration: Configuration) throws -> String {
        if let url = configuration.database.url { return url.reveal() }
        guard FileManager.default.fileExists(atPath: PrivatePostgres.folder) else {
            throw CommandFailure("DATABASE_URL is not set, and no lemma dev has run in this folder")
        }
        return PrivatePostgres.uri
    }

    private static func check(_ database: PostgresDatabase) async throws {
        let state: SchemaState
        do throws(PostgresError) {
            state = try await database.schemaState(within: checkLimit)
        } catch {
            throw CommandFailure("PostgreSQL cannot be reached: \(error)")
        }
        switch state {
        case .current: return
        case .missing(let titles):
            throw CommandFailure("migrations are missing (\(titles.joined(separator: ", "))): run lemma migrate first")
        }
    }

    /// Asks the database; a failure is one in words.
    func asking<Answer>(_ question: () async throws(RepositoryFailure) -> Answer) async throws -> Answer {
        do {
            return try await question()
        } catch {
            throw CommandFailure("PostgreSQL does not answer; try again")
        }
    }

    /// The account that an operand names, by its e-mail address or its id; users of issuers have only the latter.
    func account(_ operand: String) async throws -> Account {
        let found: Account?
        if let id = AccountID(operand) {
            found = try await asking { () async throws(RepositoryFailure) in try await accounts.find(id) }
        } else {
            let email = try Self.email(operand)
            found = try await asking { () async throws(RepositoryFailure) in
                try await accounts.passwordAccount(email)?.account
            }
        }
        guard let found else { throw CommandFailure("there is no user \(operand)") }
        return found
    }

    static func email(_ text: String) throws(UsageError) -> EmailAddress {
        do {
            return try EmailAddress(text)
        } catch {
            throw .notAllowed(name: "EMAIL", value: text, allowed: "an e-mail address such as ada@example.org")
        }
    }
}
