import API
import Application
import Domain
import EventLoop
import Infrastructure
import LemmaSettings
import Persistence
import Settings
import Shared

/// What the use cases about accounts of one loop work on.
struct AccountPorts {
    let accounts: any AccountRepository
    let sessions: any SessionRepository
    let keys: any APIKeyRepository
    let usage: any UsageRepository
    let erasure: any AccountErasure
    let passwords: any PasswordHashing
    let attempts: any CredentialAttempts
    let tokens: any AccessTokenIssuer
    let mint: any CredentialMint
    let withdrawn: WithdrawnAccess
}

extension AccountPorts {
    /// How long a request waits for the erasure of an account before the sweep of the workers completes it.
    private static let erasureWait = Duration.seconds(10)

    /// The ports of one loop; `store` is that loop's.
    init(_ access: AccessService, _ dependencies: ReplicaDependencies, _ store: RedisStore) {
        let database = dependencies.database
        self.init(
            accounts: PostgresAccountRepository(database),
            sessions: PostgresSessionRepository(database),
            keys: PostgresAPIKeyRepository(database),
            usage: PostgresUsageRepository(database),
            erasure: dependencies.accountErasure(store, waitLimit: Self.erasureWait),
            passwords: access.passwords,
            attempts: dependencies.credentialLimits(store),
            tokens: access.accessTokens,
            mint: access.credentials,
            withdrawn: access.withdrawn,
        )
    }
}

extension AccountServices {
    /// The use cases of one loop; `store` is that loop's.
    init(_ ports: AccountPorts, _ dependencies: ReplicaDependencies, _ store: RedisStore) {
        let policy = RegistrationPolicy(dependencies.configuration)
        let time = dependencies.clock
        let check = PasswordCheck(accounts: ports.accounts, hashing: ports.passwords, attempts: ports.attempts)
        let removal = AccountRemoval(erasure: ports.erasure, clock: time)
        self.init(
            register: RegisterAccountHandler(
                policy: policy,
                accounts: ports.accounts,
                hashing: ports.passwords,
                identifiers: dependencies.identifiers,
                clock: time,
            ),
            read: ReadAccountHandler(
                accounts: ports.accounts,
                usage: ports.usage,
                limits: UserLimits(dependencies.configuration),
                clock: time,
            ),
            change: ChangeAccountHandler(
                accounts: ports.accounts,
                sessions: ports.sessions,
                hashing: ports.passwords,
                check: check,
            ),
            delete: DeleteAccountHandler(accounts: ports.accounts, check: check, removal: removal),
            usage: ReadUsageHandler(usage: ports.usage, clock: time),
            sessions: SessionServices(ports, dependencies, policy),
            keys: KeyServices(
                create: CreateAPIKeyHandler(
                    keys: ports.keys,
                    mint: ports.mint,
                    identifiers: dependencies.identifiers,
                    clock: time,
                ),
                list: ListAPIKeysHandler(keys: ports.keys),
                revoke: RevokeAPIKeyHandler(keys: ports.keys, clock: time),
            ),
            admin: AdminServices(ports, dependencies, store, removal),
            withdrawn: ports.withdrawn,
        )
    }
}

extension SessionServices {
    fileprivate init(_ ports: AccountPorts, _ dependencies: ReplicaDependencies, _ policy: RegistrationPolicy) {
        let time = dependencies.clock
        self.init(
            signIn: SignInHandler(
                policy: policy,
                accounts: ports.accounts,
                hashing: ports.passwords,
                attempts: ports.attempts,
                sessions: SessionStart(
                    sessions: ports.sessions,
                    issuer: ports.tokens,
                    mint: ports.mint,
                    identifiers: dependencies.identifiers,
                    clock: time,
                    lifetime: dependencies.configuration.auth.refreshTTL,
                ),
            ),
            refresh: RefreshSessionHandler(
                policy: policy,
                sessions: ports.sessions,
                issuer: ports.tokens,
                mint: ports.mint,
                clock: time,
            ),
            signOut: SignOutHandler(sessions: ports.sessions, mint: ports.mint),
            signOutEverywhere: SignOutEverywhereHandler(sessions: ports.sessions),
        )
    }
}

extension AdminServices {
    fileprivate init(
        _ ports: AccountPorts,
        _ dependencies: ReplicaDependencies,
        _ store: RedisStore,
        _ removal: AccountRemoval
    ) {
        let letters = RedisDeadLetters(store: store)
        self.init(
            listAccounts: ListAccountsHandler(accounts: ports.accounts),
            changeAccount: ChangeAccountAsAdminHandler(accounts: ports.accounts),
            deleteAccount: DeleteAccountAsAdminHandler(removal: removal),
            listDeadLetters: ListDeadLettersHandler(letters: letters),
            redriveDeadLetter: RedriveDeadLetterHandler(letters: letters, identifiers: dependencies.identifiers),
            dropDeadLetter: DropDeadLetterHandler(letters: letters),
            queueLevels: ReadQueueLevelsHandler(reader: RedisQueueLevels(store: store)),
        )
    }
}

extension RegistrationPolicy {
    /// `REGISTRATION`.
    fileprivate init(_ configuration: Configuration) {
        switch configuration.auth.registration {
        case .open: self = .open
        case .closed: self = .closed
        case .off: self = .off
        }
    }
}

extension UserLimits {
    fileprivate init(_ configuration: Configuration) {
        let limits = configuration.limits
        self.init(
            requestsPerMinute: limits.solve.map { Double($0.count) * (Duration.seconds(60) / $0.period) },
            maxActive: limits.userMaxActive,
            tokensPerDay: limits.userDailyTokens,
        )
    }
}
