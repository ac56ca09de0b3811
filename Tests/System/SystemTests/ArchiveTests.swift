import FoundationEssentials
import TestSupport
import Testing

@Suite("Conversations as they are kept", .tags(.system), .serialized, .timeLimit(.minutes(3)))
struct ArchiveTests {
    private struct Page: Decodable {
        struct Item: Decodable {
            let role: String
            let content: String
            let correlationId: String
            let status: String
        }

        let items: [Item]
        let nextCursor: String?
    }

    private static let slow = ["MOCK_TOKENS": "500", "MOCK_TOKEN_DELAY": "20ms"]

    private func call(
        _ method: String,
        _ path: String,
        _ client: Client,
        _ body: String? = nil
    ) throws -> RawResponse {
        try HTTPCall.send(method, port: client.port, "/api/conversations\(path)", body: body ?? "")
    }

    @Test(
        "what a client has seen end is in its conversation at once, on any replica, through a pooler as well",
        arguments: [false, true]
    )
    func atOnce(isPooled: Bool) async throws {
        try await Deployment.running(Deployment.Plan(apis: 2, workers: 2, isPooled: isPooled)) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            var conversation: String?
            for round in 1...10 {
                let submitted = try clients[round % 2].submit("a b \(round)", in: conversation)
                conversation = submitted.conversationId
                let path = "/\(submitted.conversationId)"
                // The conversation is there before its first answer.
                #expect(try call("GET", path, clients[(round + 1) % 2]).status == 200)
                let text = try clients[0].follow(submitted.streamUrl).text
                let page: Page = try clients[0].decode(try call("GET", "\(path)/messages", clients[(round + 1) % 2]))
                #expect(page.items.count == round * 2)
                #expect(page.items.last?.content == text && page.items.last?.status == "completed")
                #expect(page.items.suffix(2).map(\.role) == ["user", "assistant"])
            }
            let list = try call("GET", "", clients[0])
            #expect(list.body.contains(#""title":"a b 1""#))
        }
    }

    @Test("deleting a conversation cancels what runs in it and leaves nothing of it, also of what comes late")
    func delete() async throws {
        try await Deployment.running(Deployment.Plan(environment: Self.slow)) { deployment in
            let client = deployment.api
            let running = try client.submit("a b c")
            let stream = try client.watch(running.streamUrl)
            var transcript = Transcript()
            try transcript.read(stream) { $0.names.contains("token") }
            let waiting = try client.submit("d e f", in: running.conversationId)
            let path = "/\(running.conversationId)"
            #expect(try call("DELETE", path, client).status == 204)
            try transcript.read(stream)
            #expect(transcript.terminal?.name == "cancelled")
            #expect(transcript.terminal?.data.contains("conversation_deleted") == true)
            #expect(try HTTPCall.send("GET", port: client.port, waiting.streamUrl).status == 404)
            #expect(try call("DELETE", path, client).status == 404)
            #expect(try call("GET", path, client).status == 404)
            #expect(try client.post("g", in: running.conversationId).status == 404)
            // Until every record has gone through.
            let written = try await eventually { try deployment.askRedis("XLEN", "lemma:{p0}:finished") == "0\n" }
            #expect(written)
            let rows = "SELECT (SELECT count(*) FROM math_requests) + (SELECT count(*) FROM ai_responses)"
            #expect(try deployment.database.sql(rows) == "0")
            #expect(try deployment.database.sql("SELECT title IS NULL FROM conversations") == "t")
        }
    }

    @Test("with PostgreSQL stopped or frozen these routes answer 503 at their own limit; solving continues")
    func away() async throws {
        try await Deployment.running(Deployment.Plan(postgres: .init())) { deployment in
            let client = deployment.api
            let submitted = try client.submit("a b c")
            _ = try client.follow(submitted.streamUrl)
            let path = "/\(submitted.conversationId)"
            let title = #"{"title":"x"}"#
            let calls = [
                ("POST", "", "{}"), ("GET", "", nil), ("GET", path, nil), ("PATCH", path, title),
                ("GET", "\(path)/messages", nil), ("DELETE", path, nil),
            ]
            #expect(try call("PATCH", path, client, title).status == 200)
            for isFrozen in [true, false] {
                if isFrozen { deployment.database.server.pause() } else { deployment.database.server.stop() }
                for (method, path, body) in calls {
                    // A frozen server ends no call.
                    let response = try call(method, path, client, body)
                    #expect(response.status == 503 && response["retry-after"] != nil, "\(method) \(path)")
                }
                let readiness = try HTTPCall.send("GET", port: deployment.apis[0].opsPort, "/readyz")
                #expect(readiness.status == 200 && readiness.body.contains(#""postgres":{"status":"down""#))
                let other = try client.follow(try client.submit("d").streamUrl)
                #expect(other.terminal?.name == "completed")
                if isFrozen { deployment.database.server.resume() }
            }
            try deployment.database.server.restart()
            let isBack = try await eventually { try call("GET", path, client).status == 200 }
            #expect(isBack)
        }
    }

    @Test(
        "a replica is not ready without this release's migrations, whether they are missing or PostgreSQL is, from the start"
    )
    func readiness() async throws {
        try await Deployment.running(Deployment.Plan(postgres: .init())) { deployment in
            func readiness(_ replica: Replica, _ path: String = "/readyz") throws -> RawResponse {
                try HTTPCall.send("GET", port: replica.opsPort, path)
            }
            let replica = deployment.apis[0]
            #expect(try readiness(replica).status == 200)
            try deployment.database.sql("UPDATE schema_migrations SET number = number + 1000")
            for path in ["/readyz", "/startupz"] {
                let response = try readiness(replica, path)
                #expect(response.status == 503 && response.body.contains("migrations missing"), "\(path)")
            }
            try deployment.database.sql("UPDATE schema_migrations SET number = number - 1000")
            #expect(try readiness(replica).status == 200)

            deployment.database.server.stop()
            #expect(try readiness(replica).status == 200)
            let late = try deployment.addWorker()
            #expect(try readiness(late).status == 503)
            try deployment.database.server.restart()
            #expect(try await eventually { try readiness(late).status == 200 })
        }
    }
}
