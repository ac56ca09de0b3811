import TestSupport
import Testing

@Suite("Entries of another release", .tags(.system), .timeLimit(.minutes(2)))
struct UpgradeTests {
    /// Fields that this release knows nothing of, as a later one may add them.
    private static let unknown = ["laterField", #"{"of":"another release"}"#, "later:count", "7"]

    @Test(
        "every kind of entry is read, and what is not over comes to its end",
        arguments: ["entries-e8261d4"],
        [[], unknown],
    )
    func entries(recording: String, added: [String]) async throws {
        let entries = try RecordedEntries(recording)
        let ends = [
            "completed": "completed", "cancelled": "cancelled", "dead": "failed", "running": "completed",
            "waiting": "completed", "watched": "cancelled", "postponed": "completed", "queued": "completed",
        ]
        #expect(Set(entries.requests.keys) == Set(ends.keys))
        let plan = Deployment.Plan(workers: 0, environment: ["JOB_LEASE": "1s", "DISCONNECT_GRACE": "1s"])
        try await Deployment.running(plan) { deployment in
            try entries.load(into: deployment, adding: added)
            let client = deployment.api
            try checkReplay(client, entries)
            try deployment.addWorker()
            // The abandoned one last: a viewer would keep it.
            for (what, end) in ends.sorted(by: { $1.key == "watched" && $0.key != "watched" }) {
                let id = try #require(entries.requests[what])
                let transcript = try client.follow("/api/math/stream/\(id)")
                #expect(transcript.faults.isEmpty, "\(what)")
                #expect(transcript.terminal?.name == end, "\(what): \(transcript.story)")
                let document = try client.read(id)
                #expect(document.status == end && document.problem == "a \(what) one")
                if end == "completed" {
                    #expect(document.answer == "a \(what) one " && transcript.text == document.answer)
                }
            }
            let running = try client.follow("/api/math/stream/\(entries.requests["running"] ?? "")", after: "1-1")
            #expect(
                running.story == ["token", "restarted", "token", "completed"],
                "resumed where the old one was left"
            )
            try deployment.run("dead-letters", "redrive", try #require(entries.deadLetter))
            try await checkStores(deployment, ends)
        }
    }

    /// A submission that the other release accepted is known by its key.
    private func checkReplay(_ client: Client, _ entries: RecordedEntries) throws {
        let body = #"{"problem":"a completed one","options":{"temperature":0.5}}"#
        let key = [("Idempotency-Key", "kept")]
        let again = try HTTPCall.send("POST", port: client.port, "/api/math/solve", headers: key, body: body)
        #expect(again.status == 202 && again["idempotency-replayed"] == "true")
        #expect(again["x-correlation-id"] == entries.requests["completed"])
        let other = try HTTPCall.send(
            "POST",
            port: client.port,
            "/api/math/solve",
            headers: key,
            body: #"{"problem":"another"}"#
        )
        #expect(other.status == 422)
    }

    /// Nothing is left to do in Redis, and PostgreSQL has all requests with their ends.
    private func checkStores(_ deployment: Deployment, _ ends: [String: String]) async throws {
        // The dead letter's problem is solved under a new id.
        let expected = (Array(ends.values) + ["completed"]).sorted()
        let rows = { try deployment.database.sql("SELECT status FROM math_requests ORDER BY status::text") }
        _ = try await eventually { try rows() == expected.joined(separator: "\n") }
        #expect(try rows().split(separator: "\n").map(String.init) == expected)
        for key in ["jobs", "finished", "dead", "finished-dead"] {
            _ = try await eventually { try deployment.askRedis("XLEN", "lemma:{p0}:\(key)") == "0\n" }
            #expect(try deployment.askRedis("XLEN", "lemma:{p0}:\(key)") == "0\n", "\(key)")
        }
        for key in ["delayed", "waiting", "watched"] {
            #expect(try deployment.askRedis("ZCARD", "lemma:{p0}:\(key)") == "0\n", "\(key)")
        }
    }
}
