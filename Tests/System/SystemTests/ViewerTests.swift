import TestSupport
import Testing

@Suite("Viewers of one request", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct ViewerTests {
    private static let paced = ["MOCK_TOKENS": "40", "MOCK_TOKEN_DELAY": "20ms"]

    @Test("all see the same events, whether they come before, while or after it runs, on whatever replica")
    func several() async throws {
        try await Deployment.running(Deployment.Plan(apis: 2, environment: Self.paced)) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            let problem = "wie groß ist ∑ 1/n² wirklich"
            let submitted = try clients[0].submit(problem)
            let early = try await atOnce(6) { index in
                // The later ones come when so many tokens have been seen.
                var transcript = Transcript()
                if index >= 3 {
                    let other = try clients[index % 2].watch(submitted.streamUrl)
                    try transcript.read(other) { $0.events.count >= index * 5 }
                }
                return try clients[index % 2].follow(submitted.streamUrl)
            }
            let late = try clients[1].follow(submitted.streamUrl)
            for transcript in early {
                #expect(transcript.events == late.events)
                #expect(transcript.faults.isEmpty)
            }
            #expect(late.text == echo(problem, tokens: 40))
            #expect(late.lastID != nil)
        }
    }

    @Test("the Last-Event-ID header wins over the query, both continue after their event, and the end is 204")
    func cursors() async throws {
        try await Deployment.running { deployment in
            let client = deployment.api
            let submitted = try client.submit("a b c d e f")
            let whole = try client.follow(submitted.streamUrl)
            let terminal = try #require(whole.lastID)

            let byQuery = try client.watch("\(submitted.streamUrl)&lastEventId=1-0")
            #expect(byQuery.status == 200)
            #expect(try byQuery.next()?.id == "1-1")
            let both = try client.watch("\(submitted.streamUrl)&lastEventId=\(terminal)", after: "0-1")
            #expect(try both.next()?.id == "1-0")
            let empty = try client.watch("\(submitted.streamUrl)&lastEventId=", after: "")
            #expect(try empty.next()?.id == "0-1")

            for id in [terminal] {
                #expect(try client.watch(submitted.streamUrl, after: id).status == 204)
                #expect(try client.watch("\(submitted.streamUrl)&lastEventId=\(id)").status == 204)
            }
            let wrong = try client.watch(submitted.streamUrl, after: "1-x")
            #expect(wrong.status == 400)
            let problem = try client.decode(wrong.response) as Client.ProblemDocument
            #expect(problem.status == 400)
        }
    }

    @Test("a viewer that comes at the very moment of the last events gets them without a probe of its silent stream")
    func atTheEnd() async throws {
        let settings = ["MOCK_FIRST_TOKEN_DELAY": "150ms", "EVENT_LOOPS": "1"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            var roundsWithoutProbe = 0
            for _ in 0..<3 {
                let probes = try probes(deployment)
                let url = try client.submit("x").streamUrl
                var first = Transcript()
                try first.read(try client.watch(url)) { $0.names.contains("started") }
                let ends = try await atOnce(40) { index in
                    // Spread over the moment of the first token.
                    try await ContinuousClock().sleep(for: .milliseconds(60 + index * 4))
                    let stream = try client.watch(url, after: "1-0")
                    var last = ""
                    while let event = try stream.next() { last = event.name }
                    return last
                }
                #expect(ends.allSatisfy { $0 == "completed" })
                if try self.probes(deployment) == probes { roundsWithoutProbe += 1 }
            }
            // A machine that stands still for two seconds makes a stream silent, but not in each round.
            #expect(roundsWithoutProbe > 0)
        }
    }

    /// The calls of the command of probes, which otherwise only new connections send.
    private func probes(_ deployment: Deployment) throws -> Int {
        let statistics = try deployment.askRedis("INFO", "commandstats")
        return statistics.firstMatch(of: /cmdstat_xread:calls=([0-9]+),/).flatMap { Int($0.1) } ?? 0
    }

    @Test("a stream has headers that forbid proxies to buffer, cache or compress it")
    func headers() async throws {
        try await Deployment.running { deployment in
            let stream = try deployment.api.watch(try deployment.api.submit("x").streamUrl)
            #expect(stream.status == 200)
            #expect(stream.headers["content-type"] == "text/event-stream")
            #expect(stream.headers["cache-control"] == "no-cache, no-transform")
            #expect(stream.headers["x-accel-buffering"] == "no")
            #expect(stream.headers["content-encoding"] == nil)
            while try stream.next() != nil {}
            #expect(stream.retries == [2000])
        }
    }

    @Test("a stream without events carries heartbeats")
    func heartbeats() async throws {
        let settings = ["SSE_HEARTBEAT": "100ms", "MOCK_FIRST_TOKEN_DELAY": "800ms"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let stream = try deployment.api.watch(try deployment.api.submit("x y").streamUrl)
            while try stream.next() != nil {}
            #expect((2...10).contains(stream.comments.count))
            #expect(Set(stream.comments) == ["heartbeat"])
            #expect(stream.blocksWithoutData == 0)
        }
    }

    @Test("a viewer that never reads costs no more memory than its limit, and gets everything once it reads")
    func slow() async throws {
        // More than the socket buffers of both ends take (4 MiB at most, tcp(7)).
        let tokens = 1400
        let word = String(repeating: "0123456789", count: 700)
        let settings = ["MOCK_TOKENS": "\(tokens)", "SSE_BUFFER_LIMIT": "64KiB"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let api = deployment.apis[0]
            let before = api.residentBytes
            let submitted = try client.submit(word)
            let idle = try (0..<4).map { _ in try client.watch(submitted.streamUrl, receiveBufferBytes: 4096) }
            let finished = try await eventually(within: .seconds(40)) {
                try deployment.workers[0].metric("lemma_requests_finished_total") == 1
            }
            #expect(finished)
            let stalled = try await eventually(within: .seconds(10)) {
                try api.metric("lemma_streams_stalled_total") >= Double(idle.count)
            }
            #expect(stalled)
            #expect(api.residentBytes - before < 8 * 1024 * 1024)

            for stream in idle {
                var transcript = Transcript()
                try transcript.read(stream)
                #expect(transcript.text == echo(word, tokens: tokens))
                #expect(transcript.faults.isEmpty)
            }
            // Nor does a slow reader while it catches up.
            #expect(api.peakResidentBytes - before < 8 * 1024 * 1024)
        }
    }
}
