import FoundationEssentials
import TestSupport
import Testing

@Suite("What operators do to Redis", .tags(.system), .serialized, .timeLimit(.minutes(3)))
struct OperatorTests {
    private func readiness(_ replica: Replica) throws -> RawResponse {
        try HTTPCall.send("GET", port: replica.opsPort, "/readyz")
    }

    @Test(
        "a Redis user without the right to publish: not ready, 503, the right is named, nothing written; then all is well"
    )
    func missingRight() async throws {
        var plan = Deployment.Plan(redisUser: "lemma:pw")
        plan.redis.users = ["lemma on >pw resetchannels ~lemma:* +@all -@admin -@dangerous"]
        try await Deployment.running(plan) { deployment in
            for replica in deployment.apis + deployment.workers {
                let named = try await eventually {
                    let response = try readiness(replica)
                    return response.status == 503 && response.body.contains("the channels lemma:*")
                }
                #expect(named)
                #expect(replica.logText.contains("the channels lemma:*"))
            }
            let refused = try deployment.api.post("1 + 1")
            #expect(refused.status == 503 && refused["retry-after"] != nil)
            #expect(try deployment.askRedis("DBSIZE").contains("0"))
            _ = try deployment.askRedis("ACL", "SETUSER", "lemma", "&lemma:*")
            let ready = try await eventually { deployment.apis[0].isReady && deployment.workers[0].isReady }
            #expect(ready)
            let submitted = try deployment.api.submit("a b")
            #expect(try deployment.api.follow(submitted.streamUrl).text == "a b ")
        }
    }

    @Test("a policy that evicts is warned of in log, readiness and metric; the replica stays ready")
    func eviction() async throws {
        try await Deployment.running { deployment in
            let api = deployment.apis[0]
            #expect(try readiness(api).body.contains("warnings") == false)
            _ = try deployment.askRedis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
            let warned = try await eventually { try readiness(api).body.contains("maxmemory-policy is allkeys-lru") }
            #expect(warned)
            #expect(try readiness(api).status == 200)
            #expect(api.logText.contains("redis may evict keys"))
            #expect(try api.metric("lemma_redis_may_evict") == 1)
            _ = try deployment.askRedis("CONFIG", "SET", "maxmemory-policy", "noeviction")
            let calm = try await eventually { try readiness(api).body.contains("warnings") == false }
            #expect(calm)
        }
    }

    @Test(
        "a trimmed job stream: every request reaches one terminal event, and an abort of a running one ends it at once"
    )
    func trimmed() async throws {
        let settings = [
            "JOB_LEASE": "1s", "WORKER_CONCURRENCY": "5", "MOCK_TOKENS": "100000", "MOCK_TOKEN_DELAY": "20ms",
        ]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let requests = try (0..<10).map { try client.submit("problem \($0)") }
            func running() throws -> [Client.Submitted] {
                try requests.filter { try client.read($0.correlationId).status == "running" }
            }
            let begun = try await eventually { try running().count == 5 }
            #expect(begun)
            let aborted = try running()[0]
            _ = try deployment.askRedis("XTRIM", "lemma:{p0}:jobs", "MAXLEN", "0")
            let response = try client.delete(aborted.correlationId)
            #expect(response.status == 200)
            for request in requests {
                let transcript = try client.follow(request.streamUrl)
                #expect(transcript.faults.isEmpty)
                let isAborted = request.correlationId == aborted.correlationId
                #expect(transcript.terminal?.name == (isAborted ? "cancelled" : "failed"))
            }
            #expect(try deployment.askRedis("ZCARD", "lemma:{p0}:unfinished").contains("0"))
            let letters = try deployment.output("dead-letters", "list")
            #expect(letters.contains("removed_from_queue"))
        }
    }

    @Test("from the 204 of a deletion on, the conversation's requests are unknown: read, stream, ticket, abort")
    func deletion() async throws {
        try await Deployment.running { deployment in
            let client = deployment.api
            let submitted = try client.submit("a b")
            #expect(try client.follow(submitted.streamUrl).text == "a b ")
            let path = "/api/conversations/\(submitted.conversationId)"
            #expect(try HTTPCall.send("DELETE", port: client.port, path).status == 204)
            let request = "/api/math/requests/\(submitted.correlationId)"
            #expect(try HTTPCall.send("GET", port: client.port, request).status == 404)
            #expect(try HTTPCall.send("GET", port: client.port, submitted.streamUrl).status == 404)
            let stream = "/api/math/stream/\(submitted.correlationId)"
            #expect(try HTTPCall.send("GET", port: client.port, stream).status == 404)
            #expect(try client.delete(submitted.correlationId).status == 404)
            #expect(try HTTPCall.send("DELETE", port: client.port, path).status == 404)
        }
    }

    @Test("deletions of unknown conversations leave Redis unchanged")
    func unknownDeletion() async throws {
        try await Deployment.running { deployment in
            let before = try deployment.askRedis("KEYS", "lemma:*conversation*")
            for number in 0..<50 {
                let id = "01a1fe13-1f46-70d4-815b-\(String(1_000_000_000_000 + number).suffix(12))"
                let path = "/api/conversations/\(id)"
                #expect(try HTTPCall.send("DELETE", port: deployment.api.port, path).status == 404)
            }
            #expect(try deployment.askRedis("KEYS", "lemma:*conversation*") == before)
        }
    }

    @Test("a conversation with the maximum of waiting requests: 429 with the limit and Retry-After")
    func crowded() async throws {
        let settings = [
            "CONVERSATION_MAX_WAITING": "2", "MOCK_TOKENS": "100000", "MOCK_TOKEN_DELAY": "20ms",
        ]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let first = try client.submit("a")
            for _ in 0..<2 { _ = try client.submit("b", in: first.conversationId) }
            let refused = try client.post("c", in: first.conversationId)
            #expect(refused.status == 429)
            let problem: Client.ProblemDocument = try client.decode(refused)
            #expect(problem.type == "/problems/too-many-active")
            #expect(refused["retry-after"] != nil)
            #expect(refused["ratelimit-policy"] == "\"conversation\";q=2")
            #expect(refused["ratelimit"] == "\"conversation\";r=0")
            #expect(try client.submit("d", in: first.conversationId, onBusy: "interrupt").status == "queued")
        }
    }
}
