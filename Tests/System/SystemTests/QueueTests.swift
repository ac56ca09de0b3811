import Synchronization
import TestSupport
import Testing

@Suite("Waiting in line", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct QueueTests {
    private struct Queued: Decodable {
        let correlationId: String
        let position: Int
    }

    @Test("a waiting client gets its queue position, which only falls, at most once a second")
    func positions() async throws {
        let settings = [
            "WORKER_CONCURRENCY": "1", "EVENT_LOOPS": "1", "MOCK_TOKENS": "4", "MOCK_TOKEN_DELAY": "200ms",
        ]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let busy = try client.submit("first")
            var first = Transcript()
            try first.read(try client.watch(busy.streamUrl)) { $0.names.contains("started") }
            let urls = try (1...5).map { try client.submit("waiting \($0)").streamUrl }
            let transcripts = try await atOnce(5) { try client.follow(urls[$0]) }
            for (index, transcript) in transcripts.enumerated() {
                let queued = transcript.events.filter { $0.name == "queued" }
                let positions = try queued.map { try transcript.decode(Queued.self, $0).position }
                // One before it already runs and is not in the queue; two at most, right after a claim.
                #expect((index...index + 2).contains(positions[0]), "\(index): \(positions)")
                #expect(zip(positions, positions.dropFirst()).allSatisfy { $0 > $1 }, "\(index): \(positions)")
                #expect(positions.allSatisfy { $0 >= 1 })
                #expect(queued[0].id == "0-1")
                #expect(queued.dropFirst().allSatisfy { $0.id == nil })
                #expect(transcript.faults.isEmpty)
                #expect(transcript.terminal?.name == "completed")
            }
            let last = transcripts[4].events.count { $0.name == "queued" }
            #expect((2...6).contains(last), "the last one was told \(last) places")
        }
    }

    @Test("a worker runs no more jobs at once than it has slots, and all that wait get their turn")
    func slots() async throws {
        let settings = ["WORKER_CONCURRENCY": "3", "MOCK_TOKENS": "3", "MOCK_TOKEN_DELAY": "50ms"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let urls = try (0..<30).map { try client.submit("job \($0)").streamUrl }
            let most = try await atOnce(31) { index in
                if index < 30 {
                    let transcript = try client.follow(urls[index])
                    #expect(transcript.text == echo("job \(index)", tokens: 3))
                    #expect(transcript.faults.isEmpty)
                    return 0.0
                }
                var most = 0.0
                while try deployment.workers[0].metric("lemma_requests_finished_total") < 30 {
                    most = max(most, try deployment.workers[0].metric("lemma_jobs_active"))
                }
                return most
            }
            #expect((2...3).contains(most[30]))
        }
    }

    @Test("a worker that takes over another's jobs stays within its slots, also with more partitions than slots")
    func slotsDuringTakeOver() async throws {
        let settings = [
            "WORKER_CONCURRENCY": "2", "EVENT_LOOPS": "1", "JOB_PARTITIONS": "3", "JOB_LEASE": "1s",
            "MOCK_TOKENS": "20", "MOCK_TOKEN_DELAY": "20ms",
        ]
        try await Deployment.running(Deployment.Plan(workers: 2, environment: settings)) { deployment in
            let client = deployment.api
            let urls = try (0..<16).map { try client.submit("job \($0)").streamUrl }
            let finished = Atomic(0)
            let most = try await atOnce(17) { index in
                if index == 16 {
                    var most = 0.0
                    while finished.load(ordering: .relaxed) < urls.count {
                        most = max(most, try deployment.workers[1].metric("lemma_jobs_active"))
                    }
                    return most
                }
                var transcript = Transcript()
                let stream = try client.watch(urls[index])
                if index == 0 {
                    try transcript.read(stream) { $0.names.contains("token") }
                    deployment.workers[0].kill()
                }
                try transcript.read(stream)
                #expect(transcript.text == echo("job \(index)", tokens: 20))
                #expect(transcript.faults.isEmpty)
                #expect(transcript.terminal?.name == "completed")
                finished.add(1, ordering: .relaxed)
                return 0
            }
            #expect(most[16] == 2)
            #expect(try deployment.workers[1].metric("lemma_attempts_started_total", #"reason="worker_lost""#) > 0)
        }
    }

    @Test("several partitions of the keyspace work like one, also when a worker stops and another one dies")
    func partitions() async throws {
        let settings = [
            "JOB_PARTITIONS": "5", "JOB_LEASE": "1s", "MOCK_TOKENS": "40", "MOCK_TOKEN_DELAY": "20ms",
            "DRAIN_GRACE": "100ms",
        ]
        try await Deployment.running(Deployment.Plan(apis: 2, workers: 3, environment: settings)) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            let transcripts = try await atOnce(60) { index in
                let client = clients[index % 2]
                let submitted = try client.submit("problem \(index)")
                var transcript = Transcript()
                let stream = try clients[(index + 1) % 2].watch(submitted.streamUrl)
                try transcript.read(stream) { $0.names.count { $0 == "token" } >= 5 }
                if index == 0 { deployment.workers[0].process.signal(15) }
                if index == 1 { deployment.workers[1].kill() }
                try transcript.read(stream)
                return transcript
            }
            for (index, transcript) in transcripts.enumerated() {
                #expect(transcript.text == echo("problem \(index)", tokens: 40))
                #expect(transcript.faults.isEmpty)
                #expect(transcript.terminal?.name == "completed")
            }
            #expect(deployment.workers[0].process.waitForExit(within: .seconds(10)) == .code(0))
        }
    }
}
