import TestSupport
import Testing

@Suite("Submitting a problem", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct SubmissionTests {
    @Test("Prefer: wait gives the finished request where it ends in time, else 202; the GET waits too")
    func preferWait() async throws {
        let settings = ["MOCK_TOKENS": "8", "MOCK_TOKEN_DELAY": "50ms"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let quick = try client.post("2x + 3 = 7", headers: [("Prefer", "wait=10")])
            #expect(quick.status == 200)
            let document = try client.decode(quick) as Client.Document
            #expect(document.status == "completed")
            #expect(document.answer == echo("2x + 3 = 7", tokens: 8))
            #expect(document.finishReason == "stop")
            #expect(document.usage?.outputTokens == 8)

            let submitted = try client.submit("3x + 3 = 9")
            #expect(quick["location"] == "/api/math/requests/\(document.correlationId)")
            let read = try client.read(submitted.correlationId, headers: [("Prefer", "wait=10")])
            #expect(read.status == "completed")
        }
    }

    @Test("Prefer: wait gives the 202 with its stream when the time is over before the answer")
    func preferWaitTooShort() async throws {
        try await Deployment.running(Deployment.Plan(environment: ["MOCK_FIRST_TOKEN_DELAY": "2s"])) { deployment in
            let client = deployment.api
            let slow = try client.post("x y", headers: [("Prefer", "wait=1")])
            #expect(slow.status == 202)
            let submitted = try client.decode(slow) as Client.Submitted
            #expect(submitted.status == "queued")
            #expect(try client.follow(submitted.streamUrl).text == "x y ")
        }
    }

    @Test("a POST that accepts an event stream is answered with it")
    func streaming() async throws {
        try await Deployment.running { deployment in
            let client = deployment.api
            let stream = try EventStreamClient(
                port: client.port,
                path: "/api/math/solve",
                method: "POST",
                headers: [("Accept", "text/event-stream")],
                body: try Client.body("one two three"),
            )
            #expect(stream.status == 200)
            let id = try #require(stream.headers["x-correlation-id"])
            #expect(stream.headers["location"] == "/api/math/requests/\(id)")
            var transcript = Transcript()
            try transcript.read(stream)
            #expect(transcript.text == "one two three ")
            #expect(transcript.faults.isEmpty)
            #expect(transcript.story == ["queued", "started", "token", "completed"])
            #expect(try client.read(id).answer == "one two three ")
        }
    }
}
