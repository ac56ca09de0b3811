import TestSupport
import Testing

@Suite("What stays in Redis", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct ExpiryTests {
    @Test("everything has an expiry but the job streams, and a request's keys go after STREAM_TTL_DONE")
    func expiry() async throws {
        let settings = ["STREAM_TTL_DONE": "1s", "MOCK_TOKENS": "200", "MOCK_TOKEN_DELAY": "10ms"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let done = try client.submit("a b c")
            let running = try client.watch(done.streamUrl)
            var transcript = Transcript()
            try transcript.read(running) { $0.names.contains("token") }
            let cancelled = try client.submit("d e f")
            try expectExpiries(deployment)
            _ = try client.delete(cancelled.correlationId)
            try transcript.read(running)
            #expect(transcript.terminal?.name == "completed")
            try expectExpiries(deployment)

            let gone = try await eventually(within: .seconds(5)) {
                try keys(deployment).allSatisfy { Self.isLasting($0) || $0.hasSuffix(":probe") }
            }
            #expect(gone, "also what is known of the conversations, once their records are kept")
            #expect(try deployment.askRedis("XLEN", "lemma:{p0}:jobs") == "0\n")
            #expect(try deployment.askRedis("XLEN", "lemma:{p0}:finished") == "0\n")
            // What has expired in Redis is in the database by now.
            let kept = try client.follow(done.streamUrl)
            #expect(kept.names == ["token", "completed"] && kept.text == transcript.text)
            let ids = transcript.events.compactMap(\.id).suffix(2)
            #expect(kept.events.map(\.id) == Array(ids))
            // The requests of an EventSource that was disconnected between the two, after both, and before both.
            let (before, end) = (try #require(ids.first), try #require(ids.last))
            #expect(try client.follow(done.streamUrl, after: before).events == Array(kept.events.suffix(1)))
            #expect(try client.watch(done.streamUrl, after: end).status == 204)
            #expect(try client.follow(done.streamUrl, after: "1-0").names == ["reset", "token", "completed"])
            #expect(try client.read(done.correlationId).answer == transcript.text)
            #expect(try client.delete(done.correlationId).status == 200)
        }
    }

    private static func isLasting(_ key: String) -> Bool {
        [":jobs", ":dead", ":finished"].contains { key.hasSuffix($0) }
    }

    private func keys(_ deployment: Deployment) throws -> [String] {
        try deployment.askRedis("--scan").split(separator: "\n").map(String.init)
    }

    private func expectExpiries(_ deployment: Deployment) throws {
        let keys = try keys(deployment)
        #expect(keys.count > 2)
        for key in keys where !Self.isLasting(key) {
            // -1 is without expiry, -2 has expired.
            #expect(try deployment.askRedis("PTTL", key) != "-1\n", "\(key) never expires")
        }
    }
}
