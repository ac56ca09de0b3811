import AccountSupport
import Application
import Domain
import FoundationEssentials
import Shared
import TestSupport
import Testing

@Suite("API keys, usage and administration over HTTP", .tags(.integration), .timeLimit(.minutes(2)))
struct KeyRouteTests {
    private struct Key: Decodable {
        let key: String?
        let id: String
        let name: String
        let scopes: [String]
        let expiresAt: String?
        let actsForEndUsers: Bool
    }

    private struct List<Item: Decodable>: Decodable {
        let items: [Item]
        let nextCursor: String?
    }

    @Test("a key is shown once, listed without its text, and revoked")
    func keys() async throws {
        try await AccountBench.running { bench in
            _ = try bench.register()
            let token = try bench.signIn().accessToken
            let body = #"""
                {"name":" ci ","scopes":["read"],"expiresAt":"2030-01-01T00:00:00Z","limits":{"maxActive":2,"x":1},
                 "actsForEndUsers":true,"more":1}
                """#
            let made = try bench.send("POST", "/api/keys", body, token: token)
            #expect(made.status == 201 && made["cache-control"] == "no-store")
            let key: Key = try bench.decode(made)
            #expect(key.key?.hasPrefix("lm_") == true && key.name == "ci" && key.scopes == ["read"])
            #expect(key.expiresAt == "2030-01-01T00:00:00.000Z" && key.actsForEndUsers)
            #expect(made.body.contains(#""limits":{"requestsPerMinute":null,"maxActive":2,"tokensPerDay":null}"#))
            let list = try bench.send("GET", "/api/keys", token: token)
            #expect(try bench.decode(list, List<Key>.self).items.map(\.id) == [key.id])
            #expect(!list.body.contains(key.key ?? "lm_") && list.body.contains(#""lastUsedAt":null"#))

            for (method, path) in [
                ("GET", "/api/auth/me"), ("POST", "/api/auth/logout-all"), ("GET", "/api/keys"), ("POST", "/api/keys"),
                ("GET", "/api/admin/users"), ("GET", "/api/admin/queue"),
            ] {
                #expect(try bench.send(method, path, token: key.key).status == 403, "\(method) \(path)")
            }
            #expect(try bench.send("GET", "/api/usage", token: key.key).status == 200)
            #expect(try bench.send("GET", "/api/usage?user=anonymous", token: key.key).status == 403)

            _ = try bench.register("bob@example.org")
            let stranger = try bench.signIn("bob@example.org").accessToken
            let path = "/api/keys/\(key.id)"
            for other in [stranger, nil] {
                let status = try bench.send("DELETE", path, token: other).status
                #expect(status == (other == nil ? 401 : 404))
            }
            #expect(try bench.send("DELETE", "\(path)0", token: token).status == 400)
            #expect(try bench.send("DELETE", path, token: token).status == 204)
            #expect(try bench.send("DELETE", path, token: token).status == 404)
            #expect(try bench.send("GET", "/api/usage", token: key.key).status == 401, "at once on this replica")
        }
    }

    @Test("usage is the caller's own; administrators may ask for that of others")
    func usage() async throws {
        try await AccountBench.running { bench in
            let user = try bench.register()
            let id = try #require(AccountID(user.id))
            let day = UsageDay(
                day: UTCDay(of: bench.clock.now()),
                requests: 3,
                inputTokens: 5,
                outputTokens: 7
            )
            bench.accounts.setUsage([day], of: UserID(id))
            bench.accounts.setUsage([day], of: UserID(endUser: "kid 7", of: id))
            let token = try bench.signIn().accessToken
            let expected = #"{"items":[{"day":"2026-11-21","requests":3,"inputTokens":5,"outputTokens":7}]}"#
            #expect(try bench.send("GET", "/api/usage", token: token).body == expected)
            let range = "from=2026-11-01&to=2026-11-20"
            #expect(try bench.send("GET", "/api/usage?\(range)", token: token).body == #"{"items":[]}"#)
            for query in ["from=x", "to=", "from=2026-11-02&to=2026-11-01", "from=2024-01-01&to=2026-11-01"] {
                #expect(try bench.send("GET", "/api/usage?\(query)", token: token).status == 422, "\(query)")
            }
            #expect(try bench.send("GET", "/api/usage?user=\(id)", token: token).status == 403)
            let admin = try await bench.admin().token
            for query in ["user=\(id)", "user=\("\(id)".uppercased())", "user=\(id)/kid%207"] {
                #expect(try bench.send("GET", "/api/usage?\(query)", token: admin).body == expected, "\(query)")
            }
            #expect(try bench.send("GET", "/api/usage?user=anonymous", token: admin).body == #"{"items":[]}"#)
            #expect(try bench.send("GET", "/api/usage?user=ada", token: admin).status == 422)
        }
    }

    @Test("administrators list, lock out, promote and delete accounts; others are 403 and 401")
    func accounts() async throws {
        try await AccountBench.running { bench in
            let ada = try bench.register()
            let token = try bench.signIn().accessToken
            let (root, admin) = try await bench.admin()
            let path = "/api/admin/users/\(ada.id)"
            for (method, target) in [("GET", "/api/admin/users"), ("PATCH", path), ("DELETE", path)] {
                #expect(try bench.send(method, target, token: token).status == 403)
                #expect(try bench.send(method, target).status == 401)
            }
            let page = try bench.send("GET", "/api/admin/users?limit=1&email=EXAMPLE", token: admin)
            let first: List<AccountBench.User> = try bench.decode(page)
            let cursor = try #require(first.nextCursor)
            let rest = try bench.send("GET", "/api/admin/users?limit=1&cursor=\(cursor)", token: admin)
            let second: List<AccountBench.User> = try bench.decode(rest)
            #expect(first.items.map(\.id) + second.items.map(\.id) == [root.id, ada.id].sorted(by: >))
            #expect(rest.body.contains(#""disabled":false"#) && second.nextCursor == nil)
            for query in ["limit=0", "cursor=x", "email=\(String(repeating: "x", count: 255))"] {
                #expect(try bench.send("GET", "/api/admin/users?\(query)", token: admin).status == 422)
            }
            _ = bench.audit.take()
            let locked = try bench.send("PATCH", path, #"{"disabled":true,"roles":["admin"]}"#, token: admin)
            #expect(locked.status == 200 && locked.body.contains(#""roles":["admin","student"]"#))
            #expect(try bench.send("GET", "/api/auth/me", token: token).status == 401, "at once on this replica")
            #expect(try bench.send("PATCH", path, #"{"disabled":false}"#, token: admin).status == 200)
            #expect(try bench.send("GET", "/api/auth/me", token: token).status == 200)
            #expect(bench.audit.take().map(\.action) == [.accountDisable, .roleChange, .accountEnable])
            for body in [#"{"roles":["root"]}"#, #"{"roles":"admin"}"#, #"{"disabled":"yes"}"#] {
                #expect(try bench.send("PATCH", path, body, token: admin).status == 422)
            }
            let own = "/api/admin/users/\(root.id)"
            for body in [#"{"disabled":true}"#, #"{"roles":[]}"#] {
                #expect(try bench.send("PATCH", own, body, token: admin).status == 422)
            }
            #expect(try bench.send("DELETE", own, token: admin).status == 403)
            #expect(try bench.send("DELETE", path, token: admin).status == 204)
            #expect(try bench.send("DELETE", path, token: admin).status == 404)
            #expect(try bench.send("PATCH", path, "{}", token: admin).status == 404)
            #expect(try bench.send("PATCH", "/api/admin/users/1", "{}", token: admin).status == 400)
            #expect(try bench.send("GET", "/api/auth/me", token: token).status == 401)
        }
    }

    @Test("administrators see the queue and handle its dead letters")
    func queue() async throws {
        try await AccountBench.running { bench in
            let admin = try await bench.admin().token
            let levels = try bench.send("GET", "/api/admin/queue", token: admin)
            let start = #"{"waiting":1,"claimed":2,"delayed":3,"dead":4,"inConversationQueues":0,"#
            #expect(levels.status == 200 && levels.body.hasPrefix(start))
            let letters = try bench.send("GET", "/api/admin/dead-letters", token: admin)
            #expect(letters.body.contains(#""id":"0-1-1","deadLetteredAt":"1970-01-01T00:00:00.001Z""#))
            #expect(letters.body.contains(#""error":{"type":"/problems/provider-failed""#))
            #expect(try bench.send("GET", "/api/admin/dead-letters?limit=0", token: admin).status == 422)
            let path = "/api/admin/dead-letters"
            for (letter, status) in [("0-1-1", 202), ("0-2-2", 422), ("0-3-3", 404), ("0-4-4", 404), ("x", 400)] {
                let redriven = try bench.send("POST", "\(path)/\(letter)/redrive", token: admin)
                #expect(redriven.status == status, "\(letter)")
                #expect((redriven["x-correlation-id"] != nil) == (status == 202))
            }
            for (letter, status) in [("0-1-1", 204), ("0-2-2", 404), ("x", 400)] {
                #expect(try bench.send("DELETE", "\(path)/\(letter)", token: admin).status == status, "\(letter)")
            }
            let actions = bench.audit.take().filter { $0.outcome == .success }.map(\.action)
            #expect(actions.suffix(2) == [.deadLetterRedrive, .deadLetterDrop])
        }
    }
}
