import API
import Application
import EventLoop
import HTTPClient
import Infrastructure
import Instrumentation
import LemmaSettings
import Lifecycle
import Persistence

/// What proves and identifies callers, for all loops of an API replica: access tokens, issuers' keys, API keys,
/// passwords.
///
/// Starts before the listener, so that issuers' keys are known when requests come, and stops after it.
final class AccessService: Service {
    /// How exact the `lastUsedAt` of API keys is.
    private static let storePeriod = Duration.seconds(60)
    /// Passwords that wait to be hashed; each takes tens of milliseconds.
    private static let waitingPasswordsMax = 32

    let name = "access"
    /// Issues Lemma's own access tokens.
    let accessTokens: SignedAccessTokens
    let passwords: SodiumPasswordHashing
    let credentials = RandomCredentialMint()
    let withdrawn: WithdrawnAccess
    private let dependencies: ReplicaDependencies
    private let directory: AccessDirectory
    private let uses: APIKeyUses
    private let issuers: [ExternalIssuer]
    private let background: LoopBound<Background>

    /// What runs on the first loop, on which issuers' keys are fetched and accounts looked up.
    private final class Background {
        let transport: HTTPTransport
        let keys: [IssuerKeys]
        var storing: PeriodicTask?

        init(_ transport: HTTPTransport, _ keys: [IssuerKeys]) {
            self.transport = transport
            self.keys = keys
        }

        func close() {
            storing?.cancel()
            for each in keys { each.close() }
            transport.close()
        }
    }

    init(_ dependencies: ReplicaDependencies, withdrawn: WithdrawnAccess) async throws {
        self.dependencies = dependencies
        self.withdrawn = withdrawn
        let auth = dependencies.configuration.auth
        let rules = try Replica.issuers(auth)
        let logger = dependencies.logger
        let (background, issuerKeys) = try await dependencies.loops.loops[0].run { loop in
            let transport = HTTPTransport(on: loop)
            let keys = rules.map { IssuerKeys($0, transport: transport, logger: logger) }
            return (LoopBound(Background(transport, keys), of: loop), keys)
        }
        self.background = background
        issuers = zip(rules, issuerKeys).map { ExternalIssuer($0, keys: $1, clock: dependencies.clock) }
        accessTokens = SignedAccessTokens(
            secrets: dependencies.secrets,
            issuer: auth.issuer,
            audience: auth.audience,
            lifetime: auth.accessTTL,
            clock: dependencies.clock,
        )
        let threads = max(1, dependencies.configuration.eventLoops / 2)
        passwords = SodiumPasswordHashing(
            pool: BlockingPool(threadsMax: threads, waitingMax: Self.waitingPasswordsMax)
        )
        let keys = PostgresAPIKeyRepository(dependencies.database)
        uses = APIKeyUses(keys)
        directory = AccessDirectory(
            accounts: PostgresAccountRepository(dependencies.database),
            keys: keys,
            uses: uses,
            withdrawn: withdrawn,
            identifiers: dependencies.identifiers,
            clock: dependencies.clock,
            on: background.loop,
        )
    }

    /// The authenticator of one loop.
    func authenticator(tickets: any TokenService) -> TokenAuthenticator {
        TokenAuthenticator(
            tickets: tickets,
            accessTokens: AccessTokens(own: accessTokens, issuers: issuers),
            mint: credentials,
            directory: directory,
            clock: dependencies.clock,
            isRequired: dependencies.configuration.auth.required,
            failures: dependencies.metrics.http.authenticationFailures,
        )
    }

    func run(started: @escaping @Sendable () -> Void) async throws {
        try await background.loop.run { [background, uses] loop in
            let background = background.onLoop
            for keys in background.keys { keys.start() }
            background.storing = PeriodicTask(every: Self.storePeriod, on: loop) { await uses.store() }
        }
        started()
        await untilCancelled()
        // In a task of its own: this one is cancelled, and cancelled work on a loop ends at once.
        try await Task { [background, uses] in
            await uses.store()
            try await background.loop.run { _ in background.onLoop.close() }
        }.value
        throw CancellationError()
    }
}
