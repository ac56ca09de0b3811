import TestSupport
import Testing

@Suite("When the provider misbehaves", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct ProviderFailureTests {
    private struct Failed: Decodable {
        let type: String
        let status: Int
        let detail: String
        let attempts: Int
        let correlationId: String
    }

    private let script = """
        fail x1 when early
        fail:5 x1 when late
        reject when forbidden
        hang when silent
        fail when broken
        hang:3 x1 when stalled
        content-filter when filtered
        """

    @Test("a worker whose provider is cut off says so, and stays ready")
    func cutOff() async throws {
        let settings = [
            "AI_MAX_RETRIES": "0", "JOB_MAX_ATTEMPTS": "1", "AI_BREAKER_FAILURES": "1", "AI_BREAKER_OPEN": "10m",
        ]
        try await Deployment.running(Deployment.Plan(environment: settings, mockScript: script)) { deployment in
            let worker = deployment.workers[0]
            let failed = try deployment.api.follow(try deployment.api.submit("a broken one").streamUrl)
            #expect(failed.terminal?.name == "failed")
            let readiness = try HTTPCall.send("GET", port: worker.opsPort, "/readyz")
            #expect(readiness.status == 200 && readiness.body.contains(#""providers":{"mock":"open"}"#))
            #expect(try HTTPCall.send("GET", port: worker.opsPort, "/healthz").status == 200)
        }
    }

    @Test("a failure is retried where that helps and reported where it does not, and the text is exact")
    func failures() async throws {
        let settings = [
            "AI_FIRST_TOKEN_TIMEOUT": "300ms", "AI_IDLE_TIMEOUT": "300ms", "AI_MAX_RETRIES": "0",
            "JOB_MAX_ATTEMPTS": "2", "MOCK_TOKENS": "12", "AI_BREAKER_FAILURES": "1000",
        ]
        try await Deployment.running(Deployment.Plan(environment: settings, mockScript: script)) { deployment in
            let client = deployment.api
            let words = ["early", "late", "forbidden", "silent", "broken", "stalled", "filtered"]
            let found = try await atOnce(words.count) { index in
                let submitted = try client.submit("an \(words[index]) one")
                return (try client.follow(submitted.streamUrl), try client.read(submitted.correlationId))
            }
            for (transcript, _) in found { #expect(transcript.faults.isEmpty) }

            let late = found[1]
            #expect(late.0.story == ["queued", "started", "token", "restarted", "token", "completed"])
            let restarted = try late.0.data(Restarted.self, of: "restarted")
            #expect(restarted?.attempt == 2)
            #expect(restarted?.reason == "provider_failed")
            for index in [0, 1, 5] {
                let (transcript, document) = found[index]
                let text = echo("an \(words[index]) one", tokens: 12)
                #expect(transcript.terminal?.name == "completed")
                #expect(transcript.text == text)
                #expect(document.answer == text)
                #expect(document.status == "completed")
            }
            for (index, attempts) in [(2, 1), (3, 2), (4, 2)] {
                let (transcript, document) = found[index]
                #expect(transcript.terminal?.name == "failed", "\(words[index]): \(transcript.story)")
                let failed = try transcript.data(Failed.self, of: "failed")
                #expect(failed?.attempts == attempts, "\(words[index])")
                #expect(failed?.correlationId == document.correlationId)
                #expect(failed?.status ?? 0 >= 500)
                #expect(document.status == "failed")
                #expect(document.attempts == attempts, "\(words[index])")
            }
            #expect(found[6].0.terminal?.name == "completed")
            #expect(found[6].1.finishReason == "content_filter")
        }
    }
}
