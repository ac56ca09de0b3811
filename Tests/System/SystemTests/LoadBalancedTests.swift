import TestSupport
import Testing

@Suite("Two API and two worker replicas behind a load balancer", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct LoadBalancedTests {
    private static let tokens = 60
    private static let settings = ["MOCK_TOKENS": "\(tokens)", "MOCK_TOKEN_DELAY": "20ms"]
    private static let plan = Deployment.Plan(apis: 2, workers: 2, loadBalancer: .haproxy, environment: settings)

    /// Words of this client only, some of them not ASCII.
    private func problem(_ index: Int) -> String { "löse aufgabe-\(index): ∫ 𝑥² dx = \(index * 7) 🧮 für \(index)" }

    private func check(_ transcripts: [Transcript]) {
        #expect(transcripts.count == 200)
        let faulty = transcripts.filter { !$0.faults.isEmpty }
        #expect(faulty.isEmpty, "\(faulty.count) clients, the first: \(faulty.first?.faults ?? [])")
        let wrong = transcripts.enumerated().filter { $1.text != echo(problem($0), tokens: Self.tokens) }
        #expect(wrong.isEmpty, "\(wrong.count) clients, the first: \(wrong.first?.element.text ?? "")")
        let odd = transcripts.filter { $0.story != ["queued", "started", "token", "completed"] }
        #expect(odd.isEmpty, "\(odd.count) clients, the first: \(odd.first?.story ?? [])")
    }

    @Test("of 200 requests at once, each client gets its provider's text exactly")
    func atOnce() async throws {
        try await Deployment.running(Self.plan) { deployment in
            let client = try deployment.balanced
            let transcripts = try await TestSupport.atOnce(200) { index in
                try client.follow(try await client.submitPatiently(problem(index)).streamUrl)
            }
            check(transcripts)
            // Both replicas of each kind took part.
            for api in deployment.apis { #expect(try api.metric("lemma_streams_opened_total") > 0) }
            for worker in deployment.workers {
                #expect(try worker.metric("lemma_requests_finished_total") > 0)
            }
        }
    }

    @Test(
        "each of 200 clients that drop their connection at a random event resumes on the other replica without a loss"
    )
    func dropped() async throws {
        let seed = UInt64.random(in: .min ... .max)
        print("seed of the drops: \(seed)")
        try await Deployment.running(Self.plan) { deployment in
            let submitting = try deployment.balanced
            let replicas = deployment.apis.map { Client(port: $0.httpPort) }
            let transcripts = try await TestSupport.atOnce(200) { index in
                var random = SeededGenerator(seed: seed &+ UInt64(index))
                let url = try await submitting.submitPatiently(problem(index)).streamUrl
                var transcript = Transcript()
                for round in index...index + 3 {
                    let wanted = transcript.events.count + Int.random(in: 0...20, using: &random)
                    let stream = try replicas[round % 2].watch(url, after: transcript.lastID)
                    try transcript.read(stream) { $0.events.count >= wanted || $0.terminal != nil }
                    if Bool.random(using: &random) { stream.reset() } else { stream.close() }
                }
                if transcript.terminal == nil {
                    try transcript.read(try submitting.watch(url, after: transcript.lastID))
                }
                return transcript
            }
            check(transcripts)
        }
    }

    @Test("events pass each recommended proxy one by one, as they come", arguments: LoadBalancer.Kind.allCases)
    func oneByOne(_ kind: LoadBalancer.Kind) async throws {
        let settings = ["MOCK_TOKENS": "10", "MOCK_TOKEN_DELAY": "100ms", "SSE_HEARTBEAT": "50ms"]
        let plan = Deployment.Plan(apis: 2, loadBalancer: kind, environment: settings)
        try await Deployment.running(plan) { deployment in
            let client = try deployment.balanced
            let stream = try client.watch(try client.submit("a b c").streamUrl)
            var transcript = Transcript()
            try transcript.read(stream) { $0.names.contains("token") }
            let first = stream.lastArrival
            try transcript.read(stream)
            #expect(transcript.text == echo("a b c", tokens: 10))
            #expect(transcript.faults.isEmpty)
            // The nine later tokens take 900 ms.
            #expect(stream.lastArrival - first > .milliseconds(700))
            #expect(stream.comments.contains("heartbeat"))
            #expect(stream.headers["cache-control"] == "no-cache, no-transform")
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
