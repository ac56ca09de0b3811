import FoundationEssentials
import TestSupport
import Testing

/// Every route of the running program with every kind of credentials.
///
/// The routes are those that the program's metrics list from its start, so that a route without a row here fails.
@Suite("Who may do what", .tags(.system), .serialized, .timeLimit(.minutes(4)))
struct AccessMatrixTests {
    /// The credentials of a request.
    enum Sender: CaseIterable {
        case none, expired, wrongAudience, wrongKind, refreshToken, otherUser, owner, readKey, key, revokedKey, admin
        case disabledUser

        var isIdentified: Bool {
            switch self {
            case .none, .expired, .wrongAudience, .wrongKind, .refreshToken, .revokedKey, .disabledUser: false
            case .otherUser, .owner, .readKey, .key, .admin: true
            }
        }
    }

    /// The policies of the route table, as the contract has them.
    enum Access {
        case open, withoutKey, reading, readOnly, solving, person, account, admin

        /// What `sender` is answered: `reached` where the route admits it, `foreign` where what the path names is another
        /// user's.
        func status(_ sender: Sender, reached: Int, foreign: Int) -> Int {
            guard self != .open else { return reached }
            guard self != .withoutKey else { return [.readKey, .key, .revokedKey].contains(sender) ? 403 : reached }
            guard sender.isIdentified else { return 401 }
            switch (self, sender) {
            case (.admin, .admin): return reached
            case (.admin, _): return 403
            case (.person, .readKey), (.person, .key), (.account, .readKey), (.account, .key): return 403
            case (.solving, .readKey), (.readOnly, .key): return 403
            case (_, .otherUser), (_, .admin): return foreign
            case _: return reached
            }
        }
    }

    struct Row: Sendable {
        let method: String
        let route: String
        let access: Access
        let reached: Int
        let foreign: Int
        let body: String
        /// Makes what the path names, where a request may change it.
        let path: @Sendable (World) throws -> String

        init(
            _ method: String,
            _ route: String,
            _ access: Access,
            _ reached: Int,
            foreign: Int? = nil,
            body: String = "",
            _ path: (@Sendable (World) throws -> String)? = nil
        ) {
            self.method = method
            self.route = route
            self.access = access
            self.reached = reached
            self.foreign = foreign ?? reached
            self.body = body
            self.path = path ?? { _ in route }
        }

        var name: String { "\(method) \(route)" }
    }

    /// What the senders are, and what belongs to the owner.
    struct World: Sendable {
        let client: AccountClient
        let owner: AccountClient.Member
        let tokens: [Sender: String]
        let request: String
        let conversation: String

        func newConversation() throws -> String {
            struct Made: Decodable {
                let id: String
            }
            let made: Made = try client.call("POST", "/api/conversations", "{}", token: owner.token, status: 201)
            return made.id
        }
    }

    private static let wrongPassword = #"{"password":"wrong password"}"#
    private static let letter = "/api/admin/dead-letters/0-1-1"

    static let rows: [Row] = [
        Row("POST", "/api/math/solve", .solving, 202, body: #"{"problem":"1+1"}"#),
        Row("GET", "/api/math/requests/{id}", .reading, 200, foreign: 404) { "/api/math/requests/\($0.request)" },
        Row("DELETE", "/api/math/requests/{id}", .solving, 200, foreign: 404) { "/api/math/requests/\($0.request)" },
        Row("GET", "/api/math/stream/{id}", .reading, 200, foreign: 404) { "/api/math/stream/\($0.request)" },
        Row("POST", "/api/conversations", .solving, 201, body: "{}"),
        Row("GET", "/api/conversations", .reading, 200),
        Row("GET", "/api/conversations/{id}", .reading, 200, foreign: 404) { "/api/conversations/\($0.conversation)" },
        Row("PATCH", "/api/conversations/{id}", .solving, 200, foreign: 404, body: #"{"title":"x"}"#) {
            "/api/conversations/\($0.conversation)"
        },
        Row("DELETE", "/api/conversations/{id}", .solving, 204, foreign: 404) {
            "/api/conversations/\(try $0.newConversation())"
        },
        Row("GET", "/api/conversations/{id}/messages", .reading, 200, foreign: 404) {
            "/api/conversations/\($0.conversation)/messages"
        },
        Row("GET", "/", .open, 200),
        // A body without its members shows that the route was reached, and changes nothing.
        Row("POST", "/api/auth/register", .withoutKey, 422, body: "{}"),
        Row("POST", "/api/auth/login", .withoutKey, 422, body: "{}"),
        Row("POST", "/api/auth/refresh", .withoutKey, 422, body: "{}"),
        Row("POST", "/api/auth/logout", .withoutKey, 422, body: "{}"),
        Row("POST", "/api/auth/logout-all", .account, 204),
        Row("POST", "/api/auth/ticket", .person, 422, body: "{}"),
        Row("GET", "/api/auth/me", .account, 200),
        Row("PATCH", "/api/auth/me", .account, 200, body: #"{"displayName":"x"}"#),
        Row("DELETE", "/api/auth/me", .account, 403, body: wrongPassword),
        Row("POST", "/api/keys", .account, 201, body: #"{"name":"x"}"#),
        Row("GET", "/api/keys", .account, 200),
        Row("DELETE", "/api/keys/{id}", .account, 204, foreign: 404) {
            "/api/keys/\(try $0.client.makeKey($0.owner.token).id)"
        },
        Row("GET", "/api/usage", .readOnly, 200),
        Row("GET", "/api/admin/users", .admin, 200),
        Row("PATCH", "/api/admin/users/{id}", .admin, 200, body: "{}") { "/api/admin/users/\($0.owner.user.id)" },
        Row("DELETE", "/api/admin/users/{id}", .admin, 204) {
            "/api/admin/users/\(try $0.client.register("u\(UInt64.random(in: 0...UInt64.max))@example.org").id)"
        },
        Row("GET", "/api/admin/dead-letters", .admin, 200),
        Row("POST", "/api/admin/dead-letters/{id}/redrive", .admin, 404) { _ in "\(letter)/redrive" },
        Row("DELETE", "/api/admin/dead-letters/{id}", .admin, 404) { _ in letter },
        Row("GET", "/api/admin/queue", .admin, 200),
    ]

    /// The routes of the program, from the series that exist before the first request.
    private func routes(_ replica: Replica) throws -> Set<String> {
        let text = try HTTPCall.send("GET", port: replica.opsPort, "/metrics").body
        let series = /lemma_http_responses_total\{method="([A-Z]+)",route="(\/[^"]*)",status="200"\}/
        return Set(text.matches(of: series).map { "\($0.1) \($0.2)" })
    }

    private func world(_ deployment: Deployment) async throws -> World {
        let client = deployment.accounts()
        let owner = try client.join("owner@example.org")
        let other = try client.join("other@example.org")
        let disabled = try client.join("disabled@example.org")
        let admin = try deployment.administrator()
        let submitted = try client.submit("2x + 3 = 7", token: owner.token)
        let isOver = try await eventually {
            let path = "/api/math/requests/\(submitted.correlationId)"
            return try client.send("GET", path, token: owner.token).body.contains(#""status":"completed""#)
        }
        #expect(isOver)
        let key = try client.makeKey(owner.token, #""name":"solver","scopes":["solve"]"#)
        let readKey = try client.makeKey(owner.token, #""name":"reader","scopes":["read"]"#)
        let revoked = try client.makeKey(owner.token)
        #expect(try client.send("DELETE", "/api/keys/\(revoked.id)", token: owner.token).status == 204)
        let path = "/api/admin/users/\(disabled.user.id)"
        #expect(try client.send("PATCH", path, #"{"disabled":true}"#, token: admin.token).status == 200)
        let account = owner.user.id
        return World(
            client: client,
            owner: owner,
            tokens: [
                .expired: ForgedToken(account: account, expiresIn: -60).text,
                .wrongAudience: ForgedToken(account: account, audience: "other").text,
                .wrongKind: ForgedToken(account: account, type: "JWT").text, .refreshToken: owner.refreshToken,
                .otherUser: other.token, .owner: owner.token, .readKey: readKey.key, .key: key.key,
                .revokedKey: revoked.key, .admin: admin.token, .disabledUser: disabled.token,
            ],
            request: submitted.correlationId,
            conversation: submitted.conversationId,
        )
    }

    @Test("each route answers each sender as the table says, and every route is in the table")
    func matrix() async throws {
        try await Deployment.running(Deployment.Plan(environment: AccountClient.settings)) { deployment in
            let known = Set(Self.rows.map(\.name))
            #expect(try routes(deployment.apis[0]) == known)
            let world = try await world(deployment)
            // A token that the test signs is worth as much as one of the product, so that the bad ones are bad for one reason.
            let signed = ForgedToken(account: world.owner.user.id).text
            #expect(try world.client.send("GET", "/api/auth/me", token: signed).status == 200)
            for row in Self.rows {
                for sender in Sender.allCases {
                    let path = try row.path(world)
                    let reply = try world.client.send(row.method, path, row.body, token: world.tokens[sender])
                    let expected = row.access.status(sender, reached: row.reached, foreign: row.foreign)
                    #expect(reply.status == expected, "\(row.name) by \(sender): \(reply.body)")
                    #expect((reply["www-authenticate"] != nil) == (reply.status == 401), "\(row.name) by \(sender)")
                }
            }
        }
    }
}
