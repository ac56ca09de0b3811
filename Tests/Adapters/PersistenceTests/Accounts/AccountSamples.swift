import Application
import ArchiveSupport
import Domain
import Persistence
import PostgresClient
import Shared
import TestSupport

/// The ports of accounts, on one database.
struct AccountPorts: Sendable {
    let accounts: any AccountRepository
    let sessions: any SessionRepository
    let keys: any APIKeyRepository
    let changes: any AccessChanges & WithdrawalHistory
    let usage: any UsageRepository
    let erasure: PostgresArchiveErasure
    let archive: PostgresRequestArchive
    let conversations: PostgresConversationRepository

    init(_ access: PostgresDatabase) {
        accounts = PostgresAccountRepository(access)
        sessions = PostgresSessionRepository(access)
        keys = PostgresAPIKeyRepository(access)
        changes = PostgresAccessChanges(access)
        usage = PostgresUsageRepository(access)
        erasure = PostgresArchiveErasure(access)
        let identifiers = IdentifierFactory(clock: SampleClock(), random: SampleRandom())
        archive = PostgresRequestArchive(access, identifiers: identifiers)
        conversations = PostgresConversationRepository(access)
    }
}

/// Runs `body` with the ports on a new database, to which it may put SQL of its own.
func withAccounts(
    _ body: (AccountPorts, PostgresTestDatabase) async throws -> Void
) async throws {
    let database = try PostgresServer.shared.get().database()
    _ = try await migrate(database, Migration.all)
    try await withDatabase(database.url) { access in try await body(AccountPorts(access), database) }
}

/// Accounts, sessions and keys for tests, told apart by numbers.
enum Sample {
    static func id<Identifier: UUIDIdentifier>(_ number: UInt64, _: Identifier.Type = Identifier.self) -> Identifier {
        Identifier(bits: UUIDBits(high: 0x0199_0000_0000_7000, low: 0x8000_0000_0000_0000 | number))
    }

    static func account(_ number: UInt64, email: String? = nil, roles: Set<Role> = [.student]) throws -> Account {
        Account(
            id: id(number),
            email: try EmailAddress(email ?? "user\(number)@example.org"),
            displayName: nil,
            roles: roles,
            origin: .password,
            isDisabled: false,
            createdAt: Samples.time(Int64(number)),
        )
    }

    static func issuerAccount(_ number: UInt64, _ subject: String, of issuer: String = "https://issuer") -> Account {
        Account(
            id: id(number),
            email: nil,
            displayName: "From elsewhere",
            roles: [.student],
            origin: .issuer(issuer, subject: subject),
            isDisabled: false,
            createdAt: Samples.time(Int64(number)),
        )
    }

    static let hash = PasswordHash("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$ZGlnZXN0")

    /// A digest of its own for each number.
    static func digest(_ number: UInt8) -> Fingerprint {
        Fingerprint((0..<32).map { $0 == 31 ? number : 0xA0 &+ $0 })
    }

    static func key(
        _ number: UInt64,
        of owner: AccountID,
        scopes: Set<KeyScope> = [.read, .solve],
        limits: KeyLimits = .none,
        expiresAt: Timestamp? = nil
    ) -> APIKey {
        APIKey(
            id: id(number),
            owner: owner,
            name: "key \(number)",
            scopes: scopes,
            limits: limits,
            actsForEndUsers: number % 2 == 1,
            createdAt: Samples.time(Int64(number)),
            expiresAt: expiresAt,
        )
    }
}
