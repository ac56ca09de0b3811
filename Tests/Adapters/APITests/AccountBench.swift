import AccountSupport
import Application
import ArchiveSupport
import Domain
import EventLoop
import FoundationEssentials
import HTTPServer
import Infrastructure
import Instrumentation
import Shared
import Telemetry
import TestSupport

@testable import API

/// The routes of accounts and administrators over fakes, without a queue.
struct AccountBench: Sendable {
    let accounts = InMemoryAccounts()
    let hashing = HashingFake()
    let attempts = AttemptsFake()
    let mint = MintFake()
    let clock = SettableClock()
    let audit = AuditFake()
    let withdrawn = WithdrawnAccess()
    var policy = RegistrationPolicy.open
    var port = 0

    static let password = "correct horse"
    private var identifiers: IdentifierFactory { IdentifierFactory(clock: clock, random: SecureRandomSource()) }

    /// Runs `body` on a thread of its own beside a listener.
    static func running(
        _ policy: RegistrationPolicy = .open,
        _ body: @escaping @Sendable (AccountBench) async throws -> Void
    ) async throws {
        let group = LoopGroup(count: 1)
        defer { group.stop() }
        var bench = AccountBench()
        bench.policy = policy
        let served = bench
        let listener = try await HTTPListener.start(
            host: "127.0.0.1",
            port: 0,
            on: group.loops,
            options: HTTPServerOptions(),
        ) { loop in served.pipeline(on: loop) }
        bench.port = listener.port
        let ready = bench
        let result: Result<Void, any Error>
        do {
            result = .success(try await onThread { try await body(ready) })
        } catch {
            result = .failure(error)
        }
        try await listener.closeAll()
        try result.get()
    }

    private func pipeline(on loop: Loop) -> RequestPipeline {
        let authenticator = AccountTokens(accounts: accounts, withdrawn: withdrawn)
        let metrics = LemmaMetrics(MetricsRegistry())
        let clients = ClientAddress(trustedProxies: [])
        let trail = AuditTrail(audit, clients: clients)
        return RequestPipeline(
            RouteTable(
                unknownPath: "There is nothing at this path.",
                RouteTable.accountRoutes(services, trail, authenticator, metrics.http)
                    + RouteTable.adminRoutes(services, trail)
            ),
            PipelineStages(
                loop: loop,
                authenticator: authenticator,
                limiter: NoLimits(),
                crossOrigin: nil,
                observer: RequestObserver(
                    identifiers: identifiers,
                    metrics: metrics.http,
                    accessLog: AccessLog(.disabled, clients: clients),
                    tracer: nil,
                ),
            )
        )
    }

    /// The use cases over the fakes.
    var services: AccountServices {
        let check = PasswordCheck(accounts: accounts, hashing: hashing, attempts: attempts)
        let removal = AccountRemoval(erasure: accounts, clock: clock)
        return AccountServices(
            register: RegisterAccountHandler(
                policy: policy,
                accounts: accounts,
                hashing: hashing,
                identifiers: identifiers,
                clock: clock,
            ),
            read: ReadAccountHandler(
                accounts: accounts,
                usage: accounts,
                limits: UserLimits(requestsPerMinute: 60, maxActive: 4, tokensPerDay: nil),
                clock: clock,
            ),
            change: ChangeAccountHandler(accounts: accounts, sessions: accounts, hashing: hashing, check: check),
            delete: DeleteAccountHandler(accounts: accounts, check: check, removal: removal),
            usage: ReadUsageHandler(usage: accounts, clock: clock),
            sessions: sessions,
            keys: KeyServices(
                create: CreateAPIKeyHandler(keys: accounts, mint: mint, identifiers: identifiers, clock: clock),
                list: ListAPIKeysHandler(keys: accounts),
                revoke: RevokeAPIKeyHandler(keys: accounts, clock: clock),
            ),
            admin: AdminServices(
                listAccounts: ListAccountsHandler(accounts: accounts),
                changeAccount: ChangeAccountAsAdminHandler(accounts: accounts),
                deleteAccount: DeleteAccountAsAdminHandler(removal: removal),
                listDeadLetters: ListDeadLettersHandler(letters: LettersFake()),
                redriveDeadLetter: RedriveDeadLetterHandler(letters: LettersFake(), identifiers: identifiers),
                dropDeadLetter: DropDeadLetterHandler(letters: LettersFake()),
                queueLevels: ReadQueueLevelsHandler(reader: LevelsFake()),
            ),
            withdrawn: withdrawn,
        )
    }

    private var sessions: SessionServices {
        SessionServices(
            signIn: SignInHandler(
                policy: policy,
                accounts: accounts,
                hashing: hashing,
                attempts: attempts,
                sessions: SessionStart(
                    sessions: accounts,
                    issuer: mint,
                    mint: mint,
                    identifiers: identifiers,
                    clock: clock,
                    lifetime: .seconds(3600),
                ),
            ),
            refresh: RefreshSessionHandler(policy: policy, sessions: accounts, issuer: mint, mint: mint, clock: clock),
            signOut: SignOutHandler(sessions: accounts, mint: mint),
            signOutEverywhere: SignOutEverywhereHandler(sessions: accounts),
        )
    }

    // MARK: A client

    /// Sends one request with JSON; `token` is the text behind `Bearer`.
    func send(_ method: String, _ path: String, _ body: String = "", token: String? = nil) throws -> RawResponse {
        let headers = token.map { [("Authorization", "Bearer \($0)")] } ?? []
        return try HTTPCall.send(method, port: port, path, headers: headers, body: body)
    }

    struct Credentials: Decodable {
        let accessToken: String
        let tokenType: String
        let expiresIn: Int
        let refreshToken: String
        let refreshExpiresIn: Int
    }

    struct User: Decodable {
        let id: String
        let email: String?
        let displayName: String?
        let roles: [String]
        let createdAt: String
    }

    func decode<Body: Decodable>(_ response: RawResponse, _: Body.Type = Body.self) throws -> Body {
        try JSONDecoder().decode(Body.self, from: Data(response.body.utf8))
    }

    func register(_ email: String = "ada@example.org") throws -> User {
        let body = #"{"email":"\#(email)","password":"\#(Self.password)"}"#
        let response = try send("POST", "/api/auth/register", body)
        guard response.status == 201 else { throw NeverHappened(what: "an account: \(response)") }
        return try decode(response)
    }

    func signIn(_ email: String = "ada@example.org") throws -> Credentials {
        let body = #"{"email":"\#(email)","password":"\#(Self.password)"}"#
        let response = try send("POST", "/api/auth/login", body)
        guard response.status == 200 else { throw NeverHappened(what: "a session: \(response)") }
        return try decode(response)
    }

    /// An administrator that is signed in.
    func admin(_ email: String = "root@example.org") async throws -> (user: User, token: String) {
        let user = try register(email)
        guard let id = AccountID(user.id) else { throw NeverHappened(what: "an id") }
        _ = try await accounts.change(id, AccountChange(roles: [.student, .admin]))
        return (user, try signIn(email).accessToken)
    }
}

/// Knows the access tokens of ``MintFake``, and the API keys that are stored.
private struct AccountTokens: Authenticator {
    let accounts: InMemoryAccounts
    let withdrawn: WithdrawnAccess

    func precheck(_ head: HTTPRequest) throws(APIProblem) {}

    func caller(of request: HTTPRequest) async throws(APIProblem) -> Caller {
        guard let header = request.headers["Authorization"] else { return .anonymous }
        let text = String(header.dropFirst("Bearer ".count))
        let caller = text.hasPrefix("lm_") ? await key(text) : token(text)
        guard let caller, !withdrawn.covers(caller) else { throw .unauthenticated("invalid_token", "It is not valid.") }
        return caller
    }

    func viewer(of stream: CorrelationID, in request: HTTPRequest) async throws(APIProblem) -> Caller {
        try await caller(of: request)
    }

    func currentRoles(of caller: Caller) async throws(APIProblem) -> Set<Role> {
        caller.account.flatMap { accounts.account($0) }?.roles ?? []
    }

    private func token(_ text: String) -> Caller? {
        let parts = text.split(separator: ".")
        guard parts.count == 3, let id = AccountID(parts[1]), let session = SessionID(parts[2]) else { return nil }
        return Caller(
            user: UserID(id),
            account: id,
            roles: [],
            scopes: Set(KeyScope.allCases),
            credential: .accessToken(session: session),
        )
    }

    private func key(_ text: String) async -> Caller? {
        guard let owned = try? await accounts.find(secret: MintFake.digest(text)) else { return nil }
        return Caller(
            user: UserID(owned.account.id),
            account: owned.account.id,
            roles: [],
            scopes: owned.key.scopes,
            credential: .apiKey(owned.key.id, owned.key.limits),
        )
    }
}

/// One dead letter, `0-1-1`, and one without a problem, `0-2-2`.
private struct LettersFake: DeadLetterRepository {
    private static let id = CorrelationID(bits: UUIDBits(high: 0x7000, low: 1))

    func list(upTo count: Int) async throws(RepositoryFailure) -> [DeadLetter] {
        let letter = DeadLetter(
            name: DeadLetterName(partition: 0, entry: "1-1"),
            deadLetteredAt: Timestamp(milliseconds: 1),
            reason: "attempts_exhausted",
            correlationID: Self.id,
            attempts: 3,
            lastFailure: RequestFailure(kind: .providerFailed, detail: "It failed."),
            origin: "1-0",
            redriveOf: nil,
        )
        return [letter]
    }

    func fields(of letter: DeadLetterName) async throws(RepositoryFailure) -> [DeadLetterField]? { nil }

    func redrive(
        _ letter: DeadLetterName,
        as id: CorrelationID
    ) async throws(RepositoryFailure) -> RedriveResult {
        switch letter.entry {
        case "1-1": .redriven
        case "2-2": .unreadable
        case "3-3": .conversationDeleted
        case _: .unknown
        }
    }

    func request(of letter: DeadLetterName) async throws(RepositoryFailure) -> CorrelationID? { Self.id }
    func drop(_ letter: DeadLetterName) async throws(RepositoryFailure) -> Bool { letter.entry == "1-1" }
}

private struct LevelsFake: QueueLevelsReader {
    func levels() async throws(RepositoryFailure) -> QueueLevels {
        QueueLevels(waiting: 1, claimed: 2, delayed: 3, dead: 4, oldestWaiting: .seconds(5))
    }
}
