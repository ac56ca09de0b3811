import AccountSupport
import Application
import Domain
import FoundationEssentials
import Shared
import TestSupport
import Testing

@Suite("Accounts over HTTP", .tags(.integration), .timeLimit(.minutes(2)))
struct AccountRouteTests {
    private func problem(_ response: RawResponse) throws -> ProblemDocument { try ProblemDocument(response) }

    private func fields(_ response: RawResponse) throws -> [String] {
        #expect(response.status == 422, "\(response)")
        return try problem(response).errors?.map(\.field) ?? []
    }

    @Test("an account is made, signed in, refreshed and signed out as the contract says")
    func life() async throws {
        try await AccountBench.running { bench in
            let body = #"{"email":"Ada@example.org","password":"correct horse","displayName":" Ada ","role":"admin"}"#
            let made = try bench.send("POST", "/api/auth/register", body)
            #expect(made.status == 201 && made["cache-control"] == "no-store")
            let user: AccountBench.User = try bench.decode(made)
            #expect(user.email == "Ada@example.org" && user.displayName == "Ada" && user.roles == ["student"])
            #expect(AccountID(user.id) != nil && user.createdAt == bench.clock.now().description)

            let first = try bench.signIn()
            #expect(first.tokenType == "Bearer" && first.expiresIn == 900 && first.refreshExpiresIn == 3600)
            let login = try bench.send("POST", "/api/auth/login", body)
            #expect(login["cache-control"] == "no-store")
            let refreshed = try bench.send("POST", "/api/auth/refresh", #"{"refreshToken":"\#(first.refreshToken)"}"#)
            #expect(refreshed.status == 200 && refreshed["cache-control"] == "no-store")
            let second: AccountBench.Credentials = try bench.decode(refreshed)
            #expect(second.refreshToken != first.refreshToken)

            let me = try bench.send("GET", "/api/auth/me", token: second.accessToken)
            #expect(me.status == 200)
            let limits = #""limits":{"requestsPerMinute":60,"maxActive":4,"tokensPerDay":null}"#
            let usage = #""usage":{"day":"2026-11-21","requests":0,"inputTokens":0,"outputTokens":0}"#
            for part in [#""roles":["student"]"#, limits, usage] { #expect(me.body.contains(part), "\(me.body)") }

            for token in [second.refreshToken, second.refreshToken, "unknown"] {
                #expect(try bench.send("POST", "/api/auth/logout", #"{"refreshToken":"\#(token)"}"#).status == 204)
            }
            let over = try bench.send("POST", "/api/auth/refresh", #"{"refreshToken":"\#(second.refreshToken)"}"#)
            #expect(over.status == 401 && over["www-authenticate"]?.hasPrefix(#"Bearer error="invalid_token""#) == true)
            #expect(try bench.send("POST", "/api/auth/logout-all", token: second.accessToken).status == 204)
            let actions = bench.audit.take().map { "\($0.action.rawValue) \($0.outcome.rawValue)" }
            let all = ["register success", "login success", "login success", "logout success", "logout_all success"]
            #expect(actions == all)
        }
    }

    @Test("mistakes in bodies are named, and other members are ignored")
    func mistakes() async throws {
        try await AccountBench.running { bench in
            _ = try bench.register()
            let token = try bench.signIn().accessToken
            let cases: [(String, String, String, [String])] = [
                ("POST", "/api/auth/register", "{}", ["email", "password"]),
                ("POST", "/api/auth/register", #"{"email":5,"password":"0123456789"}"#, ["email"]),
                ("POST", "/api/auth/register", #"{"email":"a@b","password":"short"}"#, ["password"]),
                ("POST", "/api/auth/login", "{}", ["email", "password"]),
                ("POST", "/api/auth/login", #"{"email":"a@b","password":[]}"#, ["password"]),
                ("POST", "/api/auth/refresh", "{}", ["refreshToken"]),
                ("POST", "/api/auth/logout", "{}", ["refreshToken"]),
                ("PATCH", "/api/auth/me", #"{"displayName":" "}"#, ["displayName"]),
                ("PATCH", "/api/auth/me", #"{"newPassword":"0123456789"}"#, ["currentPassword"]),
                ("DELETE", "/api/auth/me", "", ["password"]),
                ("POST", "/api/keys", "{}", ["name"]),
                ("POST", "/api/keys", #"{"name":"a","scopes":"solve"}"#, ["scopes"]),
                ("POST", "/api/keys", #"{"name":"a","scopes":["solve",1]}"#, ["scopes"]),
                ("POST", "/api/keys", #"{"name":"a","scopes":["write"]}"#, ["scopes"]),
                ("POST", "/api/keys", #"{"name":"a","limits":[]}"#, ["limits"]),
                ("POST", "/api/keys", #"{"name":"a","limits":{"maxActive":0}}"#, ["limits.maxActive"]),
                ("POST", "/api/keys", #"{"name":"a","limits":{"maxActive":1.5}}"#, ["limits.maxActive"]),
                ("POST", "/api/keys", #"{"name":"a","limits":{"maxActive":1e99}}"#, ["limits.maxActive"]),
                ("POST", "/api/keys", #"{"name":"a","actsForEndUsers":1}"#, ["actsForEndUsers"]),
                ("POST", "/api/keys", #"{"name":"a","expiresAt":"2020-01-01T00:00:00Z"}"#, ["expiresAt"]),
            ]
            for (method, path, body, expected) in cases {
                let isOpen = path.hasPrefix("/api/auth/") && method == "POST"
                let response = try bench.send(method, path, body, token: isOpen ? nil : token)
                #expect(try fields(response) == expected, "\(method) \(path) \(body)")
            }
            #expect(try bench.send("POST", "/api/auth/login", "{").status == 400)
            #expect(try bench.send("PATCH", "/api/auth/me", "{}", token: token).status == 200)
        }
    }

    @Test("a wrong password is 401 at sign-in, alike for every reason, and 403 where the caller is signed in")
    func wrongPassword() async throws {
        try await AccountBench.running { bench in
            let ada = try bench.register()
            let bob = try bench.register("bob@example.org")
            let token = try bench.signIn().accessToken
            let id = try #require(AccountID(bob.id))
            _ = try await bench.accounts.change(id, AccountChange(isDisabled: true))
            _ = bench.audit.take()
            func login(_ email: String, _ password: String) throws -> RawResponse {
                try bench.send("POST", "/api/auth/login", #"{"email":"\#(email)","password":"\#(password)"}"#)
            }
            let replies = [
                try login("ada@example.org", "wrong password"), try login("eve@example.org", "wrong password"),
                try login("bob@example.org", AccountBench.password),
            ]
            for reply in replies {
                #expect(reply.status == 401)
                #expect(reply["www-authenticate"] == replies[0]["www-authenticate"])
                #expect(reply["www-authenticate"]?.hasPrefix(#"Bearer error="invalid_grant""#) == true)
                #expect(try problem(reply).detail == problem(replies[0]).detail)
                #expect(Set(reply.headers.keys) == Set(replies[0].headers.keys))
            }
            let reasons = bench.audit.take().map { "\($0.subject ?? "-") \($0.reason ?? "-") \($0.actor?.text ?? "-")" }
            #expect(reasons == ["\(ada.id) wrong_password -", "- unknown_account -", "\(bob.id) disabled_account -"])

            let change = #"{"currentPassword":"wrong","newPassword":"another password"}"#
            for (method, body) in [("PATCH", change), ("DELETE", #"{"password":"wrong"}"#)] {
                let reply = try bench.send(method, "/api/auth/me", body, token: token)
                #expect(reply.status == 403)
                #expect(try problem(reply).type == "/problems/wrong-password")
            }
            let limit = LimitReached(
                kind: .rate,
                name: "account",
                quota: 10,
                window: .seconds(60),
                retryAfter: .milliseconds(5100)
            )
            bench.attempts.fail(.tooMany(limit))
            for reply in [
                try login("ada@example.org", "x"), try bench.send("PATCH", "/api/auth/me", change, token: token),
            ] {
                #expect(reply.status == 429 && reply["retry-after"] == "6")
                #expect(reply["ratelimit"] == #""account";r=0;t=6"#)
                #expect(reply["ratelimit-policy"] == #""account";q=10;w=60"#)
            }
            bench.attempts.fail(nil)
            bench.hashing.isBusy = true
            let busy = try login("ada@example.org", "x")
            #expect(busy.status == 503 && busy["retry-after"] != nil)
        }
    }

    @Test("registration can be closed but for administrators, or off as a whole")
    func registration() async throws {
        let body = #"{"email":"ada@example.org","password":"correct horse"}"#
        try await AccountBench.running(.closed) { bench in
            let refused = try bench.send("POST", "/api/auth/register", body)
            #expect(refused.status == 403)
            #expect(try problem(refused).type == "/problems/registration-closed")
            let account = Account(
                id: AccountID(bits: UUIDBits(high: 0x7000, low: 1)),
                email: try EmailAddress("root@example.org"),
                displayName: nil,
                roles: [.student, .admin],
                origin: .password,
                isDisabled: false,
                createdAt: bench.clock.now(),
            )
            bench.accounts.put(account, HashingFake.digest(AccountBench.password))
            let token = try bench.signIn("root@example.org").accessToken
            for wrong in ["x", "lm_1"] {
                #expect(try bench.send("POST", "/api/auth/register", body, token: wrong).status == 403)
            }
            #expect(try bench.send("POST", "/api/auth/register", body, token: token).status == 201)
            #expect(try bench.send("POST", "/api/auth/register", body, token: token).status == 409)
            let user = try bench.signIn().accessToken
            #expect(try bench.send("POST", "/api/auth/register", body, token: user).status == 403)
        }
        try await AccountBench.running(.off) { bench in
            for (path, body) in [("register", body), ("login", body), ("refresh", #"{"refreshToken":"x"}"#)] {
                let response = try bench.send("POST", "/api/auth/\(path)", body)
                #expect(response.status == 404)
            }
        }
        try await AccountBench.running { bench in
            _ = try bench.register()
            let taken = try bench.send("POST", "/api/auth/register", body)
            #expect(taken.status == 409)
            #expect(try problem(taken).type == "/problems/email-taken")
        }
    }

    @Test("a new password ends the other sessions; a deleted account is gone, and its token with it")
    func changeAndDelete() async throws {
        try await AccountBench.running { bench in
            let user = try bench.register()
            let id = try #require(AccountID(user.id))
            let (mine, other) = (try bench.signIn(), try bench.signIn())
            let body = #"{"displayName":"L","currentPassword":"correct horse","newPassword":"another password"}"#
            let changed = try bench.send("PATCH", "/api/auth/me", body, token: mine.accessToken)
            #expect(changed.status == 200)
            #expect(try bench.decode(changed, AccountBench.User.self).displayName == "L")
            let refresh = try bench.send("POST", "/api/auth/refresh", #"{"refreshToken":"\#(other.refreshToken)"}"#)
            #expect(refresh.status == 401 && bench.accounts.livingSessions(of: id).count == 1)
            _ = bench.audit.take()
            let deleted = try bench.send(
                "DELETE",
                "/api/auth/me",
                #"{"password":"another password"}"#,
                token: mine.accessToken
            )
            #expect(deleted.status == 204 && bench.accounts.account(id) == nil)
            let entry = try #require(bench.audit.take().first)
            #expect(entry.action == .accountDelete && entry.actor == UserID(id) && entry.subject == user.id)
            #expect(entry.address == "127.0.0.1" && entry.requestID != nil)
            #expect(try bench.send("GET", "/api/auth/me", token: mine.accessToken).status == 401)
        }
    }

    @Test("an erasure that is interrupted has begun: 202")
    func interrupted() async throws {
        try await AccountBench.running { bench in
            _ = try bench.register()
            let token = try bench.signIn().accessToken
            bench.accounts.interruptErasures()
            let body = #"{"password":"correct horse"}"#
            #expect(try bench.send("DELETE", "/api/auth/me", body, token: token).status == 202)
            #expect(try bench.send("DELETE", "/api/auth/me", body, token: token).status == 401)
        }
    }

    @Test("with the store away each route answers 503 with a hint when to retry")
    func away() async throws {
        try await AccountBench.running { bench in
            _ = try bench.register()
            let credentials = try bench.signIn()
            bench.accounts.isAway = true
            let login = #"{"email":"a@b","password":"0123456789"}"#
            let calls: [(String, String, String)] = [
                ("POST", "/api/auth/register", login), ("POST", "/api/auth/login", login),
                ("POST", "/api/auth/refresh", #"{"refreshToken":"\#(credentials.refreshToken)"}"#),
                ("POST", "/api/auth/logout", #"{"refreshToken":"\#(credentials.refreshToken)"}"#),
                ("POST", "/api/auth/logout-all", ""), ("GET", "/api/auth/me", ""), ("PATCH", "/api/auth/me", "{}"),
                ("DELETE", "/api/auth/me", "{}"), ("POST", "/api/keys", #"{"name":"a"}"#), ("GET", "/api/keys", ""),
                ("DELETE", "/api/keys/017f22e2-79b0-7cc3-98c4-dc0c0c07398f", ""), ("GET", "/api/usage", ""),
            ]
            for (method, path, body) in calls {
                let response = try bench.send(method, path, body, token: credentials.accessToken)
                #expect(response.status == 503 && response["retry-after"] == "2", "\(method) \(path): \(response)")
            }
        }
    }
}
