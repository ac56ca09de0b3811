import FoundationEssentials
import TestSupport
import Testing

@Suite("Withdrawn access", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct WithdrawalTests {
    /// A minute of tokens.
    private static let plan = Deployment.Plan(
        apis: 2,
        environment: AccountClient.settings.merging(["MOCK_TOKENS": "1200", "MOCK_TOKEN_DELAY": "50ms"]) { $1 }
    )

    /// Reads a stream to its end; returns how long that took from `start` on.
    private func end(of stream: EventStreamClient, since start: ContinuousClock.Instant) throws -> Duration {
        // `open` has read a token; on a busy machine no other follows.
        var last = "token"
        while let event = try stream.next(within: .seconds(10)) { last = event.name }
        #expect(last == "token", "it ended between two events")
        #expect(stream.retries.count == 2, "with a hint when to reconnect")
        return ContinuousClock.now - start
    }

    private func open(_ port: Int, _ path: String, token: String? = nil) throws -> EventStreamClient {
        let headers = token.map { [("Authorization", "Bearer \($0)")] } ?? []
        let stream = try EventStreamClient(port: port, path: path, headers: headers)
        #expect(stream.status == 200)
        while let event = try stream.next(), event.name != "token" {}
        return stream
    }

    @Test("the streams and waits of a user that is locked out end within five seconds on another replica")
    func disabled() async throws {
        try await Deployment.running(Self.plan) { deployment in
            let client = deployment.accounts()
            let (ada, bob) = (try client.join("ada@example.org"), try client.join("bob@example.org"))
            let admin = try deployment.administrator()
            let mine = try client.submit("one two three", token: ada.token)
            let theirs = try client.submit("four five six", token: bob.token)
            let port = deployment.apis[1].httpPort
            let path = "/api/math/stream/\(mine.correlationId)"
            let byToken = try open(port, path, token: ada.token)
            let byTicket = try open(port, mine.streamUrl)
            let other = try open(port, theirs.streamUrl)
            let wait = try RawClient(port: port)
            wait.send(
                """
                GET /api/math/requests/\(mine.correlationId) HTTP/1.1\r
                Host: a\r
                Authorization: Bearer \(ada.token)\r
                Prefer: wait=30\r
                \r

                """
            )
            let start = ContinuousClock.now
            let account = "/api/admin/users/\(ada.user.id)"
            #expect(try client.send("PATCH", account, #"{"disabled":true}"#, token: admin.token).status == 200)
            for stream in [byToken, byTicket] { #expect(try end(of: stream, since: start) < .seconds(5)) }
            #expect(try wait.readResponse(within: .seconds(10)).status == 401)
            #expect(ContinuousClock.now - start < .seconds(5))

            // Where the browser's EventSource reconnects, it is told to stop.
            for replica in deployment.apis {
                for (path, token) in [(path, ada.token as String?), (mine.streamUrl, nil)] {
                    let again = AccountClient(port: replica.httpPort)
                    #expect(try again.send("GET", path, token: token).status == 401)
                }
            }
            #expect(try other.next() != nil, "another user's goes on")
            #expect(try client.send("PATCH", account, #"{"disabled":false}"#, token: admin.token).status == 200)
            let isBack = try await eventually(within: .seconds(5)) {
                try deployment.accounts(1).send("GET", "/api/auth/me", token: ada.token).status == 200
            }
            #expect(isBack)
            #expect(try deployment.apis[1].metric("lemma_streams_ended_total", #"reason="withdrawn""#) == 2)
        }
    }

    @Test("a revoked key ends its streams within five seconds, and is refused everywhere within one")
    func revoked() async throws {
        try await Deployment.running(Self.plan) { deployment in
            let client = deployment.accounts()
            let ada = try client.join("ada@example.org")
            let (key, other) = (try client.makeKey(ada.token), try client.makeKey(ada.token))
            let submitted = try client.submit("one two three", token: key.key)
            let port = deployment.apis[1].httpPort
            let path = "/api/math/stream/\(submitted.correlationId)"
            let byKey = try open(port, path, token: key.key)
            let byTicket = try open(port, submitted.streamUrl)
            let byOther = try open(port, path, token: other.key)
            let start = ContinuousClock.now
            #expect(try client.send("DELETE", "/api/keys/\(key.id)", token: ada.token).status == 204)
            let isRefused = try await eventually(within: .seconds(1)) {
                try deployment.accounts(1).send("GET", "/api/usage", token: key.key).status == 401
            }
            #expect(isRefused)
            for stream in [byKey, byTicket] { #expect(try end(of: stream, since: start) < .seconds(5)) }
            for (path, token) in [(path, key.key as String?), (submitted.streamUrl, nil)] {
                #expect(try deployment.accounts(1).send("GET", path, token: token).status == 401)
            }
            #expect(try byOther.next() != nil, "the stream of another key of the same account goes on")
        }
    }
}
