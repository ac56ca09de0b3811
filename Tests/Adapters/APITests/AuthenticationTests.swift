import Application
import Domain
import EventLoop
import HTTPServer
import Infrastructure
import Instrumentation
import Shared
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import API

/// A listener whose one route answers with its caller, and what identifies callers there.
private struct AccessBench: Sendable {
    let port: Int
    let accounts: KnownAccounts
    let keys: KnownKeys
    let uses: APIKeyUses
    let withdrawn: WithdrawnAccess
    let tokens: SignedAccessTokens
    let tickets: SignedTicketService
    let registry: MetricsRegistry

    static let account = AccountID(bits: UUIDBits(high: 7, low: 7))
    static let session = SessionID(bits: UUIDBits(high: 8, low: 8))
    static let key = APIKeyID(bits: UUIDBits(high: 9, low: 9))
    static let stream = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"

    static func account(_ roles: Set<Role> = [.student], isDisabled: Bool = false) -> Account {
        Account(
            id: account,
            email: nil,
            displayName: nil,
            roles: roles,
            origin: .password,
            isDisabled: isDisabled,
            createdAt: Timestamp(milliseconds: 0),
        )
    }

    /// Stores a key and returns its text.
    func newKey(
        scopes: Set<KeyScope> = [.read, .solve],
        actsForEndUsers: Bool = false,
        expiresAt: Timestamp? = nil,
        account: Account = Self.account()
    ) -> String {
        let minted = RandomCredentialMint().apiKey()
        let key = APIKey(
            id: Self.key,
            owner: account.id,
            name: "test",
            scopes: scopes,
            limits: .none,
            actsForEndUsers: actsForEndUsers,
            createdAt: Timestamp(milliseconds: 0),
            expiresAt: expiresAt,
        )
        keys.put(OwnedKey(key: key, account: account), minted.digest)
        return minted.text
    }

    func token(_ roles: Set<Role> = [.student]) -> String {
        tokens.issue(for: Self.account(roles), in: Self.session).text
    }

    func get(_ path: String, _ credential: String?, _ headers: [String] = []) throws -> RawResponse {
        let client = try RawClient(port: port)
        let authorization = credential.map { ["Authorization: Bearer \($0)"] } ?? []
        client.send(
            (["GET \(path) HTTP/1.1", "Host: a"] + authorization + headers).joined(separator: "\r\n") + "\r\n\r\n"
        )
        return try client.readResponse()
    }

    /// Runs `body` on a thread of its own beside the listener.
    static func run(
        isRequired: Bool = true,
        _ body: @escaping @Sendable (AccessBench) throws -> Void
    ) async throws {
        let group = LoopGroup(count: 1)
        defer { group.stop() }
        let registry = MetricsRegistry()
        let metrics = LemmaMetrics(registry)
        let (accounts, keys, withdrawn) = (KnownAccounts(), KnownKeys(), WithdrawnAccess())
        let uses = APIKeyUses(keys)
        let clock = SystemClock()
        let secrets = [Array("a secret of at least thirty-two bytes".utf8)]
        let tokens = SignedAccessTokens(
            secrets: secrets,
            issuer: "lemma",
            audience: "lemma",
            lifetime: .seconds(60),
            clock: clock
        )
        let tickets = SignedTicketService(secrets: secrets, lifetime: .seconds(60), clock: clock)
        let directory = AccessDirectory(
            accounts: accounts,
            keys: keys,
            uses: uses,
            withdrawn: withdrawn,
            identifiers: IdentifierFactory(clock: clock, random: SecureRandomSource()),
            clock: clock,
            on: group.loops[0],
        )
        let listener = try await HTTPListener.start(host: "127.0.0.1", port: 0, on: group.loops) {
            RequestPipeline(
                Self.routes,
                PipelineStages(
                    loop: $0,
                    authenticator: TokenAuthenticator(
                        tickets: tickets,
                        accessTokens: AccessTokens(own: tokens, issuers: []),
                        mint: RandomCredentialMint(),
                        directory: directory,
                        clock: clock,
                        isRequired: isRequired,
                        failures: metrics.http.authenticationFailures,
                    ),
                    limiter: NoLimits(),
                    crossOrigin: nil,
                    observer: nil,
                )
            )
        }
        let bench = AccessBench(
            port: listener.port,
            accounts: accounts,
            keys: keys,
            uses: uses,
            withdrawn: withdrawn,
            tokens: tokens,
            tickets: tickets,
            registry: registry,
        )
        try await onThread { try body(bench) }
        try await listener.closeAll()
    }

    private static var routes: RouteTable {
        let handler: Route.Handler = { (caller, context) throws(APIProblem) in
            let scopes = caller.scopes.sorted().map(\.rawValue).joined(separator: "+")
            let roles = caller.roles.sorted().map(\.rawValue).joined(separator: "+")
            context.respond(HTTPResponse(status: 200, body: Array("\(caller.user) \(scopes) \(roles)".utf8)))
        }
        let reading: AccessPolicy = .caller(scopes: [.read, .solve])
        let watching: AccessPolicy = .ticketOrCaller(scopes: [.read])
        return RouteTable(
            unknownPath: "Nothing here.",
            [
                Route(.get, "/read", access: reading, limit: .free, body: .json, handler),
                Route(.post, "/read", access: reading, limit: .free, body: .json, handler),
                Route(.get, "/solve", access: .caller(scopes: [.solve]), limit: .free, body: .json, handler),
                Route(.get, "/account", access: .account, limit: .free, body: .json, handler),
                Route(.get, "/admin", access: .admin, limit: .free, body: .json, handler),
                Route(.get, "/stream/{id}", access: watching, limit: .free, body: .json, handler),
            ]
        )
    }
}

@Suite("Authentication", .tags(.integration))
struct AuthenticationTests {
    @Test("an access token acts as its account, and its withdrawal ends that at once")
    func accessTokens() async throws {
        try await AccessBench.run { bench in
            let token = bench.token()
            #expect(try bench.get("/read", token).body == "\(AccessBench.account) read+solve student")
            #expect(try bench.get("/account", token).status == 200)
            let changed = try bench.get("/read", token.dropLast() + (token.hasSuffix("A") ? "B" : "A"))
            #expect(changed.status == 401)
            let reason =
                #"Bearer error="invalid_token", error_description="The signature of the access token is not valid.""#
            #expect(changed["www-authenticate"] == reason)
            bench.withdrawn.withdraw(accounts: [AccessBench.account], keys: [])
            #expect(try bench.get("/read", token).status == 401)
            let series = #"lemma_http_authentication_failures_total{reason="withdrawn"} 1"#
            #expect(bench.registry.render().contains(series))
            bench.withdrawn.restore([AccessBench.account])
            #expect(try bench.get("/read", token).status == 200)
        }
    }

    @Test("an administrator's role is read from the store for each request")
    func roles() async throws {
        try await AccessBench.run { bench in
            let token = bench.token([.student, .admin])
            #expect(try bench.get("/admin", token).status == 401, "there is no such account")
            bench.accounts.put(AccessBench.account([.student, .admin]))
            #expect(try bench.get("/admin", token).status == 200)
            bench.accounts.put(AccessBench.account([.student]))
            #expect(try bench.get("/admin", token).status == 403)
            bench.accounts.put(AccessBench.account([.student, .admin], isDisabled: true))
            #expect(try bench.get("/admin", token).status == 401)
            bench.accounts.setAway(true)
            let away = try bench.get("/admin", token)
            #expect(away.status == 503 && away["retry-after"] != nil)
            #expect(try bench.get("/read", token).status == 200, "PostgreSQL is not needed elsewhere")
        }
    }

    @Test("an API key acts as its account within its scopes, is looked up once, and its use is stored later")
    func keys() async throws {
        try await AccessBench.run { bench in
            let key = bench.newKey(scopes: [.read])
            for _ in 0..<5 { #expect(try bench.get("/read", key).body == "\(AccessBench.account) read student") }
            #expect(bench.keys.lookups == 1)
            #expect(try bench.get("/solve", key).status == 403)
            #expect(try bench.get("/account", key).status == 403)
            #expect(try bench.get("/admin", key).status == 403)
            #expect(bench.keys.uses.isEmpty)
            bench.withdrawn.withdraw(accounts: [], keys: [AccessBench.key])
            let revoked = try bench.get("/read", key)
            #expect(revoked.status == 401 && revoked["www-authenticate"]?.contains("revoked") == true)
        }
    }

    @Test("a typing error in a key costs no look-up; an unknown key is remembered")
    func wrongKeys() async throws {
        try await AccessBench.run { bench in
            let key = bench.newKey()
            let typo = String(key.dropLast()) + (key.hasSuffix("a") ? "b" : "a")
            let refused = try bench.get("/read", typo)
            #expect(refused.status == 401 && refused["www-authenticate"]?.contains("checksum") == true)
            #expect(try bench.get("/read", "lm_").status == 401)
            #expect(bench.keys.lookups == 0)
            let unknown = RandomCredentialMint().apiKey().text
            for _ in 0..<3 { #expect(try bench.get("/read", unknown).status == 401) }
            #expect(bench.keys.lookups == 1)
            let series = #"lemma_http_authentication_failures_total{reason="invalid_key"} 5"#
            #expect(bench.registry.render().contains(series))
        }
    }

    @Test("a key that has expired, or whose account is disabled, is refused")
    func endedKeys() async throws {
        try await AccessBench.run { bench in
            let expired = try bench.get("/read", bench.newKey(expiresAt: Timestamp(milliseconds: 1)))
            #expect(expired.status == 401 && expired["www-authenticate"]?.contains("expired") == true)
            let disabled = bench.newKey(account: AccessBench.account(isDisabled: true))
            #expect(try bench.get("/read", disabled).status == 401)
            let live = bench.newKey(expiresAt: Timestamp(milliseconds: 4_000_000_000_000))
            #expect(try bench.get("/read", live).status == 200)
            bench.withdrawn.withdraw(accounts: [AccessBench.account], keys: [])
            #expect(try bench.get("/read", live).status == 401)
        }
    }

    @Test("with PostgreSQL away a known key works and an unknown one is a 503")
    func outage() async throws {
        try await AccessBench.run { bench in
            let key = bench.newKey()
            #expect(try bench.get("/read", key).status == 200)
            let other = bench.newKey()
            bench.keys.setAway(true)
            #expect(try bench.get("/read", key).status == 200)
            let away = try bench.get("/read", other)
            #expect(away.status == 503 && away["retry-after"] != nil)
        }
    }

    @Test("a key that acts for end users names one; from every other caller that is a 403")
    func endUsers() async throws {
        try await AccessBench.run(isRequired: false) { bench in
            let key = bench.newKey(actsForEndUsers: true)
            let longest = String(repeating: "x", count: 128)
            for name in ["ada", "a/b", "~!@", longest] {
                let response = try bench.get("/read", key, ["X-End-User: \(name)"])
                #expect(response.body == "\(AccessBench.account)/\(name) read+solve student", "\(name)")
            }
            #expect(try bench.get("/read", key).body == "\(AccessBench.account) read+solve student")
            for name in ["", "a b", "ä", "\(longest)x"] {
                #expect(try bench.get("/read", key, ["X-End-User: \(name)"]).status == 400, "\(name)")
            }
            #expect(try bench.get("/read", key, ["X-End-User: a", "X-End-User: b"]).status == 400)
            let named = ["X-End-User: ada"]
            let plain = bench.newKey()
            for credential in [plain, bench.token(), nil, "sk-other"] {
                #expect(try bench.get("/read", credential, named).status == 403, "\(credential ?? "none")")
            }
        }
    }

    @Test("a ticket ends with the account and with the key that it came from")
    func tickets() async throws {
        try await AccessBench.run { bench in
            let id = try #require(CorrelationID(AccessBench.stream))
            let user = UserID(endUser: "ada", of: AccessBench.account)
            let plain = bench.tickets.issueTicket(for: id, user: user, key: nil)
            let keyed = bench.tickets.issueTicket(for: id, user: user, key: AccessBench.key)
            func status(_ ticket: String, _ credential: String? = nil) throws -> Int {
                try bench.get("/stream/\(id)?ticket=\(ticket)", credential).status
            }
            #expect(try status(plain) == 200 && status(keyed) == 200)
            #expect(try bench.get("/stream/\(id)?ticket=\(keyed)", nil).body == "\(user) read ")
            #expect(try status(plain, "sk-other") == 200)
            #expect(try status("x", bench.token()) == 200, "an access token counts alone")
            #expect(try status(plain, "lm_x") == 401)
            bench.withdrawn.withdraw(accounts: [], keys: [AccessBench.key])
            #expect(try status(plain) == 200 && status(keyed) == 401)
            bench.withdrawn.withdraw(accounts: [AccessBench.account], keys: [])
            #expect(try status(plain) == 401)
        }
    }

    @Test("before a long body, what the head shows is refused without it")
    func beforeBody() async throws {
        try await AccessBench.run { bench in
            func status(_ credential: String?) throws -> Int {
                let client = try RawClient(port: bench.port)
                let authorization = credential.map { ["Authorization: Bearer \($0)"] } ?? []
                let head = ["POST /read HTTP/1.1", "Host: a", "Content-Length: 9000"] + authorization
                client.send(head.joined(separator: "\r\n") + "\r\n\r\n")
                return try client.readResponse().status
            }
            bench.withdrawn.withdraw(accounts: [], keys: [AccessBench.key])
            for wrong in [nil, "x", "a.b.c", "lm_x", "eyJhbGciOiJub25lIn0.e30."] {
                let found = try status(wrong)
                #expect(found == 401, "\(wrong ?? "none")")
            }
            bench.withdrawn.withdraw(accounts: [AccessBench.account], keys: [])
            #expect(try status(bench.token()) == 401)
        }
    }

    @Test("the last use of keys is stored together, and kept while the store is away")
    func uses() async throws {
        let keys = KnownKeys()
        let uses = APIKeyUses(keys)
        let (one, two) = (APIKeyID(bits: UUIDBits(high: 1, low: 1)), APIKeyID(bits: UUIDBits(high: 1, low: 2)))
        uses.note(one, at: Timestamp(milliseconds: 5))
        uses.note(one, at: Timestamp(milliseconds: 3))
        keys.setAway(true)
        await uses.store()
        uses.note(two, at: Timestamp(milliseconds: 4))
        keys.setAway(false)
        await uses.store()
        #expect(keys.uses == [one: Timestamp(milliseconds: 5), two: Timestamp(milliseconds: 4)])
    }
}
