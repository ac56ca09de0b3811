import TestSupport
import Testing

@Suite("Aborting a request", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct CancellationTests {
    private struct Cancelled: Decodable {
        let reason: String
        let attempts: Int
    }

    private func check(_ transcript: Transcript, attempts: Int) throws {
        #expect(transcript.terminal?.name == "cancelled")
        #expect(transcript.faults.isEmpty)
        let data = try transcript.data(Cancelled.self, of: "cancelled")
        #expect(data?.reason == "requested")
        #expect(data?.attempts == attempts)
    }

    @Test("one that waits for a worker ends at once, and no worker takes it up later")
    func queued() async throws {
        try await Deployment.running(Deployment.Plan(workers: 0)) { deployment in
            let client = deployment.api
            let submitted = try client.submit("a b c")
            let stream = try client.watch(submitted.streamUrl)
            #expect(try stream.next()?.name == "queued")
            let answer = try client.delete(submitted.correlationId)
            #expect(answer.status == 200)
            var transcript = try client.follow(submitted.streamUrl)
            try check(transcript, attempts: 0)
            #expect(transcript.lastID == "0-2")
            #expect(try stream.next()?.name == "cancelled")
            #expect(try stream.next() == nil)

            try deployment.addWorker()
            let other = try client.submit("d e")
            #expect(try client.follow(other.streamUrl).text == "d e ")
            transcript = try client.follow(submitted.streamUrl)
            #expect(transcript.story == ["queued", "cancelled"])
            // Again changes nothing.
            #expect(try client.delete(submitted.correlationId).status == 200)
        }
    }

    @Test("one whose provider is still silent is cut by a push, without waiting for the worker to renew its lease")
    func beforeFirstToken() async throws {
        let settings = ["MOCK_FIRST_TOKEN_DELAY": "10m", "JOB_LEASE": "1h"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let submitted = try client.submit("a b c")
            let stream = try client.watch(submitted.streamUrl)
            var transcript = Transcript()
            try transcript.read(stream) { $0.names.contains("started") }
            let answer = try client.delete(submitted.correlationId)
            #expect(answer.status == 200, "202 is the answer where the end does not come within 500 ms")
            try transcript.read(stream)
            try check(transcript, attempts: 1)
            #expect(transcript.text.isEmpty)
            let freed = try await eventually {
                try deployment.workers[0].metric("lemma_jobs_active") == 0
            }
            #expect(freed)
        }
    }

    @Test("one in the middle of its answer keeps what it has")
    func midStream() async throws {
        let settings = ["MOCK_TOKENS": "5000", "MOCK_TOKEN_DELAY": "10ms", "JOB_LEASE": "1h"]
        try await Deployment.running(Deployment.Plan(apis: 2, environment: settings)) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            let submitted = try clients[0].submit("a b c")
            let stream = try clients[0].watch(submitted.streamUrl)
            var transcript = Transcript()
            try transcript.read(stream) { $0.names.count { $0 == "token" } >= 5 }
            // On the replica that does not serve the stream.
            let answer = try clients[1].delete(submitted.correlationId)
            #expect(answer.status == 200)
            try transcript.read(stream)
            try check(transcript, attempts: 1)
            let document = try clients[1].decode(answer) as Client.Document
            #expect(document.status == "cancelled")
            #expect(document.answer == transcript.text)
            #expect(echo("a b c", tokens: 5000).hasPrefix(transcript.text))
            #expect(try clients[1].read(submitted.correlationId).answer == transcript.text)
        }
    }

    @Test("one that is over stays as it ended")
    func over() async throws {
        try await Deployment.running { deployment in
            let client = deployment.api
            let submitted = try client.submit("a b c")
            _ = try client.follow(submitted.streamUrl)
            let answer = try client.delete(submitted.correlationId)
            #expect(answer.status == 200)
            #expect(try (client.decode(answer) as Client.Document).status == "completed")
            #expect(try client.delete("00000000-0000-7000-8000-000000000000").status == 404)
        }
    }
}
