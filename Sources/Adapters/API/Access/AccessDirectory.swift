package import Application
internal import Domain
package import EventLoop
package import Shared
internal import Time

/// What the authenticators of all loops know of accounts and API keys.
///
/// One per process. Lookups are cached: a key for a minute, or ten while PostgreSQL is away; the account of an issuer's
/// user for ten minutes, or a day. Withdrawn accounts and keys are rejected by ``withdrawn``, before any cache.
package final class AccessDirectory: Sendable {
    private static let keysMax = 10_000
    private static let usersMax = 20_000
    /// After which the account of an issuer's user is looked up again where the known one is withdrawn: it may have
    /// been erased, and be made anew.
    private static let withdrawnAge = Duration.seconds(10)

    package let withdrawn: WithdrawnAccess
    private let accounts: any AccountRepository
    private let keys: LookupCache<Fingerprint, OwnedKey>
    private let users: LookupCache<IssuerUser, AccountID>
    private let uses: APIKeyUses

    private struct IssuerUser: Hashable {
        let issuer: String
        let subject: String
    }

    /// Lookups run on `loop`; `now` is a monotonic clock, for the age of what is known.
    package init(
        accounts: any AccountRepository,
        keys: any APIKeyRepository,
        uses: APIKeyUses,
        withdrawn: WithdrawnAccess,
        identifiers: IdentifierFactory,
        clock: any WallClock,
        on loop: Loop,
        now: @escaping @Sendable () -> Duration = { .nanoseconds(MonotonicTime.nanoseconds) }
    ) {
        self.withdrawn = withdrawn
        self.accounts = accounts
        self.uses = uses
        self.keys = LookupCache(
            entriesMax: Self.keysMax,
            ages: .init(renewal: .seconds(30), freshness: .seconds(60), outage: .seconds(600)),
            on: loop,
            now: now,
        ) { (digest) async throws(RepositoryFailure) in
            let owned = try await keys.find(secret: digest)
            return owned.flatMap { $0.account.isDisabled ? nil : $0 }
        }
        users = LookupCache(
            entriesMax: Self.usersMax,
            ages: .init(renewal: .seconds(540), freshness: .seconds(600), outage: .seconds(86_400)),
            on: loop,
            now: now,
        ) { (user) async throws(RepositoryFailure) in
            let fresh = Account(
                id: identifiers.make(),
                email: nil,
                displayName: nil,
                roles: [.student],
                origin: .issuer(user.issuer, subject: user.subject),
                isDisabled: false,
                createdAt: clock.now(),
            )
            let account = try await accounts.issuerAccount(orAdd: fresh)
            return account.isDisabled ? nil : account.id
        }
    }

    /// A key as far as it is known without a lookup; see ``LookupCache/known(_:)``.
    func knownKey(_ digest: Fingerprint) -> OwnedKey?? { keys.known(digest) }

    /// The key with this digest; nil where it is unknown or revoked, or its account disabled.
    func key(_ digest: Fingerprint) async throws(RepositoryFailure) -> OwnedKey? { try await keys.value(digest) }

    /// The account of an issuer's user, made at first sight; nil where it is disabled.
    func account(of subject: String, at issuer: String) async throws(RepositoryFailure) -> AccountID? {
        let user = IssuerUser(issuer: issuer, subject: subject)
        guard let account = try await users.value(user) else { return nil }
        guard withdrawn.contains(account) else { return account }
        guard let present = try await users.value(user, atMost: Self.withdrawnAge), !withdrawn.contains(present) else {
            return nil
        }
        return present
    }

    /// The account as it is stored at this moment.
    func storedAccount(_ id: AccountID) async throws(RepositoryFailure) -> Account? { try await accounts.find(id) }

    func noteUse(of key: APIKeyID, at time: Timestamp) { uses.note(key, at: time) }
}
