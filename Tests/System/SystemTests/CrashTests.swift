import TestSupport
import Testing

/// The data of `restarted`.
struct Restarted: Decodable {
    let attempt: Int
    let reason: String
    let provider: String
}

@Suite("When a replica dies", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct CrashTests {
    @Test("a worker killed in the middle of an answer is replaced by another one, which begins again")
    func worker() async throws {
        let settings = ["JOB_LEASE": "1s", "MOCK_TOKENS": "100", "MOCK_TOKEN_DELAY": "20ms"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let submitted = try client.submit("a b c")
            let stream = try client.watch(submitted.streamUrl)
            var transcript = Transcript()
            try transcript.read(stream) { $0.names.count { $0 == "token" } >= 10 }
            deployment.workers[0].kill()
            try deployment.addWorker()
            try transcript.read(stream)
            #expect(transcript.text == echo("a b c", tokens: 100))
            #expect(transcript.faults.isEmpty)
            #expect(transcript.story == ["queued", "started", "token", "restarted", "token", "completed"])
            let restarted = try transcript.data(Restarted.self, of: "restarted")
            #expect(restarted?.attempt == 2)
            #expect(restarted?.reason == "worker_lost")
            let document = try client.read(submitted.correlationId)
            #expect(document.attempts == 2)
            #expect(document.answer == transcript.text)
            // A client that resumes across the restart sees the same.
            let late = try client.follow(submitted.streamUrl)
            #expect(late.events == transcript.events)
        }
    }

    @Test(
        "an API replica killed in the middle of streams costs nothing: the clients resume on the other one",
        arguments: LoadBalancer.Kind.allCases
    )
    func api(_ kind: LoadBalancer.Kind) async throws {
        let settings = ["MOCK_TOKENS": "60", "MOCK_TOKEN_DELAY": "20ms"]
        let plan = Deployment.Plan(apis: 2, loadBalancer: kind, environment: settings)
        try await Deployment.running(plan) { deployment in
            let client = try deployment.balanced
            let first = deployment.apis[0]
            let transcripts = try await atOnce(20) { index in
                let problem = "client \(index)"
                let submitted = try client.submit(problem)
                var transcript = Transcript()
                do {
                    let direct = try Client(port: first.httpPort).watch(submitted.streamUrl)
                    try transcript.read(direct) { $0.names.count { $0 == "token" } >= 5 }
                    if index == 0 { first.kill() }
                    while let event = try direct.next() { try transcript.receive(event) }
                    transcript.note("the stream of a killed replica has no end")
                } catch is RawClient.Failure {
                    // The connection broke, as it must. The balancer may not know of the death yet.
                    try transcript.read(try client.watch(submitted.streamUrl, after: transcript.lastID))
                }
                return transcript
            }
            for (index, transcript) in transcripts.enumerated() {
                #expect(transcript.text == echo("client \(index)", tokens: 60))
                #expect(transcript.faults.isEmpty)
            }
        }
    }
}
