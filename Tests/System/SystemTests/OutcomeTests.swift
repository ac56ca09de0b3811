import TestSupport
import Testing

@Suite("How requests ended, as the metrics tell", .tags(.system), .serialized, .timeLimit(.minutes(3)))
struct OutcomeTests {
    private static let settings = [
        "AI_FIRST_TOKEN_TIMEOUT": "1s", "AI_IDLE_TIMEOUT": "60s", "AI_MAX_RETRIES": "0", "AI_BREAKER_FAILURES": "1000",
        "JOB_MAX_ATTEMPTS": "2", "JOB_LEASE": "1s", "MOCK_TOKENS": "12", "DISCONNECT_GRACE": "200ms",
    ]

    private static let script = """
        reject when forbidden
        hang when silent
        fail when broken
        hang:3 when held
        content-filter when filtered
        """

    private func total(_ replicas: [Replica], _ metric: String, _ labels: String = "") throws -> Int {
        Int(try replicas.map { try $0.metric(metric, labels) }.reduce(0, +))
    }

    @Test("each accepted request is counted once over all replicas, under how it ended")
    func once() async throws {
        let plan = Deployment.Plan(apis: 2, workers: 0, environment: Self.settings, mockScript: Self.script)
        try await Deployment.running(plan) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            try cancelWaiting(clients)
            let doomed = try loseTwice(deployment, clients[0])
            // Those that died took their numbers with them, which are of none that ended.
            let living = [try deployment.addWorker(), try deployment.addWorker()]
            try answerAndFail(clients)
            try cancelRunning(clients)
            #expect(try clients[1].follow(doomed.streamUrl).terminal?.name == "failed")

            let replicas = deployment.apis + living
            let accepted = try total(deployment.apis, "lemma_requests_submitted_total")
            #expect(accepted == 23)
            let finished = "lemma_requests_finished_total"
            #expect(try await eventually { try total(replicas, finished) >= accepted })
            let expected = [
                "completed/stop": 8, "completed/content_filter": 1, "failed/provider-failed": 2,
                "failed/provider-timed-out": 1, "failed/attempts-exhausted": 1, "cancelled/requested": 4,
                "cancelled/interrupted": 2, "cancelled/conversation_deleted": 2, "cancelled/disconnected": 2,
            ]
            for (outcome, count) in expected {
                let parts = outcome.split(separator: "/")
                let labels = #"status="\#(parts[0])",reason="\#(parts[1])""#
                #expect(try total(replicas, finished, labels) == count, "\(outcome)")
            }
            #expect(try total(replicas, finished) == accepted, "and nothing else")
            #expect(try total(replicas, "lemma_request_duration_seconds_count") == accepted)
            #expect(try total(replicas, "lemma_dead_letters_total") == 3, "broken, silent and doomed")
            try checkAttempts(living)
            for replica in replicas {
                #expect(
                    try await eventually { try replica.metric("lemma_queue_dead_letters") == 3 },
                    "all see the same"
                )
            }
        }
    }

    /// Both before any worker is there.
    private func cancelWaiting(_ clients: [Client]) throws {
        for client in clients {
            let submitted = try client.submit("a b c")
            #expect(try client.delete(submitted.correlationId).status == 200)
        }
    }

    /// A request whose attempts all end with their workers.
    private func loseTwice(_ deployment: Deployment, _ client: Client) throws -> Client.Submitted {
        let doomed = try client.submit("held and doomed")
        let stream = try client.watch(doomed.streamUrl)
        var transcript = Transcript()
        for marker in ["started", "restarted"] {
            let worker = try deployment.addWorker()
            try transcript.read(stream) { $0.names.contains(marker) }
            worker.kill()
        }
        return doomed
    }

    private func answerAndFail(_ clients: [Client]) throws {
        let problems = (1...8).map { "sum \($0)" } + ["forbidden", "broken", "silent", "filtered"]
        let submitted = try problems.enumerated().map { try clients[$0.offset % 2].submit($0.element) }
        for (index, one) in submitted.enumerated() {
            let end = try clients[(index + 1) % 2].follow(one.streamUrl).terminal?.name
            let fails = (8...10).contains(index)
            #expect(end == (fails ? "failed" : "completed"), "\(problems[index])")
        }
    }

    /// Eight, some while they run and some in the queue of their conversation.
    private func cancelRunning(_ clients: [Client]) throws {
        func begin(_ problem: String) throws -> Client.Submitted {
            let submitted = try clients[0].submit(problem)
            try wait(clients[0], submitted, for: "token")
            return submitted
        }
        let cancelled = try begin("held")
        #expect(try clients[1].delete(cancelled.correlationId).status == 200)

        let interrupted = try begin("held")
        _ = try clients[1].submit("behind", in: interrupted.conversationId)
        let next = try clients[1].submit("held too", in: interrupted.conversationId, onBusy: "interrupt")
        try wait(clients[0], next, for: "token")
        #expect(try clients[0].delete(next.correlationId).status == 200)

        let deleted = try begin("held")
        _ = try clients[0].submit("behind", in: deleted.conversationId)
        let path = "/api/conversations/\(deleted.conversationId)"
        #expect(try HTTPCall.send("DELETE", port: clients[1].port, path).status == 204)

        let left = try abandon(clients[0], in: nil, until: "token")
        _ = try abandon(clients[1], in: left.conversationId, until: "queued")
    }

    private func wait(_ client: Client, _ submitted: Client.Submitted, for name: String) throws {
        var transcript = Transcript()
        try transcript.read(try client.watch(submitted.streamUrl)) { $0.names.contains(name) }
    }

    /// Submits one that ends without viewers, and leaves it.
    private func abandon(_ client: Client, in conversation: String?, until name: String) throws -> Client.Submitted {
        let place = conversation.map { #""conversationId":"\#($0)","# } ?? ""
        let body = #"{\#(place)"problem":"held","options":{"onDisconnect":"cancel"}}"#
        let response = try HTTPCall.send("POST", port: client.port, "/api/math/solve", body: body)
        guard response.status == 202 else { throw Client.Unexpected(response: response) }
        let submitted: Client.Submitted = try client.decode(response)
        try wait(client, submitted, for: name)
        return submitted
    }

    /// Those of the workers that lived on.
    private func checkAttempts(_ workers: [Replica]) throws {
        let (started, ended) = ("lemma_attempts_started_total", "lemma_attempts_ended_total")
        #expect(try total(workers, started) == total(workers, ended))
        #expect(try total(workers, started, #"reason="provider_failed""#) == 2, "broken and silent, again")
        #expect(try total(workers, ended, #"result="postponed""#) == 2)
        #expect(try total(workers, ended, #"result="completed""#) == 9)
        #expect(try total(workers, "lemma_attempt_duration_seconds_count") == total(workers, ended))
        for worker in workers {
            #expect(try worker.metric("lemma_worker_slots") > 0)
            #expect(try worker.metric("lemma_worker_lease_seconds") == 1)
        }
    }
}
