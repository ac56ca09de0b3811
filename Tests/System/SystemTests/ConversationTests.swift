import TestSupport
import Testing

@Suite("Conversations", .tags(.system), .serialized, .timeLimit(.minutes(3)))
struct ConversationTests {
    private struct Cancelled: Decodable {
        let reason: String
    }

    private struct Queued: Decodable {
        let position: Int
    }

    /// The mock's answer is the context that it received.
    private static let telling = ["MOCK_CONTENT": "conversation"]

    private func ask(_ problem: String, in conversation: String?, _ client: Client) throws -> (id: String, text: String)
    {
        let submitted = try client.submit(problem, in: conversation)
        let transcript = try client.follow(submitted.streamUrl)
        #expect(transcript.terminal?.name == "completed" && transcript.faults.isEmpty)
        return (submitted.conversationId, transcript.text)
    }

    // MARK: Memory

    @Test("a problem right after an answer has it as context, on any replica, while PostgreSQL is frozen")
    func memory() async throws {
        let plan = Deployment.Plan(apis: 2, workers: 2, environment: Self.telling, postgres: .init())
        try await Deployment.running(plan) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            deployment.database.server.pause()
            let first = try ask("a", in: nil, clients[0])
            #expect(first.text == "Q: a ")
            var told = first.text
            for (number, problem) in ["b", "c", "d"].enumerated() {
                let next = try ask(problem, in: first.id, clients[(number + 1) % 2])
                #expect(next.text == (number == 0 ? "Q: a A: " : "") + told + "Q: \(problem) ")
                told = "\(number == 0 ? "Q: a A: " : "")\(told)Q: \(problem) A: \(next.text)"
            }
            deployment.database.server.resume()
            let kept = try await eventually(within: .seconds(20)) {
                try deployment.database.sql("SELECT count(*) FROM ai_responses WHERE content <> ''") == "4"
            }
            #expect(kept)
        }
    }

    @Test("context that Redis lost comes from PostgreSQL; without both the request fails instead of being solved")
    func forgotten() async throws {
        let plan = Deployment.Plan(environment: Self.telling, postgres: .init())
        try await Deployment.running(plan) { deployment in
            let client = deployment.api
            let first = try ask("a", in: nil, client)
            let kept = try await eventually(within: .seconds(20)) {
                try deployment.database.sql("SELECT content FROM ai_responses") == "Q: a "
            }
            #expect(kept)
            func forget() throws {
                for kind in ["conversation", "turns"] {
                    _ = try deployment.askRedis("DEL", "lemma:{p0}:\(kind):\(first.id)")
                }
            }
            try forget()
            #expect(try ask("b", in: first.id, client).text == "Q: a A: Q: a Q: b ")
            // Known to be the user's, but not its turns.
            _ = try deployment.askRedis("HDEL", "lemma:{p0}:conversation:\(first.id)", "whole")
            _ = try deployment.askRedis("DEL", "lemma:{p0}:turns:\(first.id)")
            deployment.database.server.stop()
            let submitted = try client.submit("c", in: first.id)
            let transcript = try client.follow(submitted.streamUrl)
            let problem = try transcript.data(Client.ProblemDocument.self, of: "failed")
            #expect(problem?.type == "/problems/store-unavailable" && problem?.status == 503)
            #expect(transcript.text.isEmpty)
            // Not even known to be the user's.
            try forget()
            let refused = try client.post("d", in: first.id)
            #expect(refused.status == 503 && refused["retry-after"] != nil)
            try deployment.database.server.restart()
            let answered = try await eventually(within: .seconds(20)) {
                try client.post("e", in: first.id).status == 202
            }
            #expect(answered)
        }
    }

    @Test("the provider is sent the newest turns that fit, and a note if others were left out")
    func window() async throws {
        let settings = ["CONTEXT_MAX_TURNS": "2", "CONTEXT_MAX_TOKENS": "60", "MOCK_CONTENT": "conversation"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let first = try ask("a", in: nil, client)
            #expect(try ask("b", in: first.id, client).text == "Q: a A: Q: a Q: b ")
            #expect(try ask("c", in: first.id, client).text == "Q: a A: Q: a Q: b A: Q: a A: Q: a Q: b Q: c ")
            let last = try ask("d", in: first.id, client).text
            #expect(last.hasPrefix("… Q: b A: ") && last.hasSuffix("Q: d "))
            // About 150 characters of problem and answer leave no room for what was before.
            let long = String(repeating: "1+", count: 120) + "1"
            _ = try ask(long, in: first.id, client)
            #expect(try ask("e", in: first.id, client).text == "… Q: e ")
        }
    }

    // MARK: Busy

    private static let slow = ["MOCK_TOKENS": "60", "MOCK_TOKEN_DELAY": "20ms", "JOB_LEASE": "1s"]

    /// Submits a problem and reads until its first token.
    private func begin(_ problem: String, _ client: Client) throws -> (Client.Submitted, EventStreamClient, Transcript)
    {
        let submitted = try client.submit(problem)
        let stream = try client.watch(submitted.streamUrl)
        var transcript = Transcript()
        try transcript.read(stream) { $0.names.contains("token") }
        return (submitted, stream, transcript)
    }

    @Test("requests of one conversation run one after the other, also when the worker of the first is killed")
    func enqueue() async throws {
        try await Deployment.running(Deployment.Plan(apis: 2, workers: 2, environment: Self.slow)) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            let (first, stream, beginning) = try begin("a", clients[0])
            var transcript = beginning
            let second = try clients[1].submit("b", in: first.conversationId)
            let third = try clients[0].submit("c", in: first.conversationId)
            let busy = try deployment.workers.first { try $0.metric("lemma_jobs_active") == 1 }
            try #require(busy).kill()
            try transcript.read(stream)
            #expect(transcript.story.contains("restarted") && transcript.terminal?.name == "completed")
            let later = try [second, third].map { try clients[1].follow($0.streamUrl) }
            for transcript in later {
                #expect(transcript.terminal?.name == "completed" && transcript.faults.isEmpty)
            }
            #expect(try later.map { try $0.data(Queued.self, of: "queued")?.position } == [1, 2])
            let order = "SELECT problem FROM math_requests JOIN ai_responses ON math_requests.id = request_id"
            let overlap = """
                SELECT count(*) FROM ai_responses a JOIN ai_responses b ON a.id <> b.id
                WHERE b.started_at >= a.started_at AND b.started_at < a.created_at
                """
            let kept = try await eventually(within: .seconds(20)) {
                try deployment.database.sql(order + " ORDER BY started_at") == "a\nb\nc"
            }
            #expect(kept)
            #expect(try deployment.database.sql(overlap) == "0", "no two at a time")
        }
    }

    @Test("a request that does not wait is refused, or interrupts the running and waiting ones")
    func rejectAndInterrupt() async throws {
        try await Deployment.running(Deployment.Plan(apis: 2, workers: 2, environment: Self.slow)) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            let (first, stream, beginning) = try begin("a", clients[0])
            var transcript = beginning
            let refused = try clients[1].post("b", in: first.conversationId, onBusy: "reject")
            #expect(refused.status == 409)
            let problem: Client.ProblemDocument = try clients[1].decode(refused)
            #expect(problem.type == "/problems/conversation-busy" && !problem.detail.isEmpty)
            let waiting = try clients[0].submit("c", in: first.conversationId)
            let next = try clients[1].submit("d", in: first.conversationId, onBusy: "interrupt")
            try transcript.read(stream)
            #expect(try transcript.data(Cancelled.self, of: "cancelled")?.reason == "interrupted")
            #expect(try clients[0].follow(waiting.streamUrl).terminal?.name == "cancelled")
            let answered = try clients[0].follow(next.streamUrl)
            #expect(answered.terminal?.name == "completed" && answered.text == echo("d", tokens: 60))
            let free = try clients[1].submit("e", in: first.conversationId, onBusy: "reject")
            #expect(try clients[1].delete(free.correlationId).status < 300)
            let partial = try await eventually(within: .seconds(20)) {
                let texts =
                    "SELECT content <> '' FROM ai_responses WHERE cancel_reason = 'interrupted' ORDER BY content"
                return try deployment.database.sql(texts) == "f\nt"
            }
            #expect(partial, "what there was of the answers is kept")
        }
    }

    @Test("fifty equal submissions in a conversation are one request; the key stands for that conversation")
    func idempotency() async throws {
        let settings = ["JOB_PARTITIONS": "5"]
        try await Deployment.running(Deployment.Plan(apis: 2, environment: settings)) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            let conversations = try ["x", "y"].map { try ask($0, in: nil, clients[0]).id }
            for key in ["k1", "k2", "k3"] {
                let headers = [("Idempotency-Key", key)]
                let ids = try await atOnce(50) { index in
                    let response = try clients[index % 2].post("z", in: conversations[0], headers: headers)
                    return (try clients[0].decode(response) as Client.Submitted).correlationId
                }
                #expect(Set(ids).count == 1)
                #expect(try clients[0].post("z", in: conversations[1], headers: headers).status == 422)
                #expect(try clients[0].post("z", headers: headers).status == 422)
            }
        }
    }

    @Test("a deletion cancels what runs and waits, and nothing brings the conversation back")
    func deleted() async throws {
        try await Deployment.running(Deployment.Plan(apis: 2, workers: 2, environment: Self.slow)) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            let (first, stream, beginning) = try begin("a", clients[0])
            var transcript = beginning
            let waiting = try clients[0].submit("b", in: first.conversationId)
            let path = "/api/conversations/\(first.conversationId)"
            #expect(try HTTPCall.send("DELETE", port: clients[1].port, path).status == 204)
            try transcript.read(stream)
            #expect(try transcript.data(Cancelled.self, of: "cancelled")?.reason == "conversation_deleted")
            #expect(try HTTPCall.send("GET", port: clients[0].port, waiting.streamUrl).status == 404)
            #expect(
                try deployment.askRedis("HGET", "lemma:{p0}:request:\(waiting.correlationId)", "status")
                    == "cancelled\n"
            )
            #expect(try clients[0].post("c", in: first.conversationId).status == 404)
            let isQuiet = try await eventually(within: .seconds(20)) {
                try deployment.askRedis("XLEN", "lemma:{p0}:finished") == "0\n"
            }
            #expect(isQuiet)
            #expect(try HTTPCall.send("GET", port: clients[0].port, path).status == 404)
            #expect(try deployment.database.sql("SELECT count(*) FROM math_requests") == "0")
            #expect(try deployment.askRedis("EXISTS", "lemma:{p0}:turns:\(first.conversationId)") == "0\n")
            _ = try deployment.askRedis("DEL", "lemma:{p0}:conversation:\(first.conversationId)")
            #expect(try clients[0].post("d", in: first.conversationId).status == 404, "also when Redis has forgotten")
        }
    }

    @Test("a conversation that does not exist, or not for this user, is not found")
    func unknown() async throws {
        try await Deployment.running { deployment in
            let client = deployment.api
            let unknown = try client.post("a", in: "01a1fdfc-1fb3-708e-8fbf-3e8b9ef01b80")
            #expect(unknown.status == 404 && unknown.body.contains("/problems/not-found"))
            let nonsense = try client.post("a", in: "nonsense")
            #expect(nonsense.status == 400)
        }
    }
}
