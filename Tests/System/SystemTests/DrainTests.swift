import Glibc
import TestSupport
import Testing

@Suite("When a replica is told to stop", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct DrainTests {
    @Test("an API replica fails readiness at once, serves on, then ends its streams between two events and exits 0")
    func api() async throws {
        let settings = ["MOCK_TOKENS": "150", "MOCK_TOKEN_DELAY": "20ms", "DRAIN_GRACE": "1s"]
        try await Deployment.running(Deployment.Plan(apis: 2, environment: settings)) { deployment in
            let client = deployment.api
            let draining = deployment.apis[0]
            let submitted = try client.submit("a b c")
            let stream = try client.watch(submitted.streamUrl)
            var transcript = Transcript()
            try transcript.read(stream) { $0.names.contains("token") }

            let start = ContinuousClock.now
            draining.process.signal(SIGTERM)
            #expect(try await eventually { !draining.isReady })
            #expect(try HTTPCall.send("GET", port: draining.opsPort, "/healthz").status == 200)
            // Still serving: a submission, and a resume that must never see a 503.
            _ = try client.submit("d e f")
            let other = try client.watch(submitted.streamUrl, after: transcript.lastID)
            #expect(other.status == 200)

            while let event = try stream.next() { try transcript.receive(event) }
            #expect(ContinuousClock.now - start >= .milliseconds(900))
            #expect(transcript.terminal == nil)
            #expect(stream.retries.count == 2)
            #expect((100...1500).contains(stream.retries.last ?? 0))
            #expect(draining.process.waitForExit(within: .seconds(10)) == .code(0))

            let second = Client(port: deployment.apis[1].httpPort)
            try transcript.read(try second.watch(submitted.streamUrl, after: transcript.lastID))
            #expect(transcript.text == echo("a b c", tokens: 150))
            #expect(transcript.faults.isEmpty)
        }
    }

    @Test("an API replica without streams does not wait for the grace")
    func idleAPI() async throws {
        try await Deployment.running(Deployment.Plan(environment: ["DRAIN_GRACE": "20s"])) { deployment in
            let replica = deployment.apis[0]
            replica.process.signal(SIGTERM)
            #expect(replica.process.waitForExit(within: .seconds(5)) == .code(0))
        }
    }

    @Test("waits are served until the grace is over, then answered with the state of that moment")
    func waits() async throws {
        let settings = ["MOCK_FIRST_TOKEN_DELAY": "20s", "DRAIN_GRACE": "2s"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let (client, replica) = (deployment.api, deployment.apis[0])
            let submitted = try client.submit("a")
            let answers = try await atOnce(3) { index -> RawResponse? in
                switch index {
                case 0: return try client.post("b", headers: [("Prefer", "wait=30")])
                case 1:
                    let path = "/api/math/requests/\(submitted.correlationId)"
                    return try HTTPCall.send("GET", port: client.port, path, headers: [("Prefer", "wait=30")])
                case _:
                    let areWaiting = try await eventually(within: .seconds(10)) {
                        try deployment.askRedis("PUBSUB", "SHARDCHANNELS", "lemma:{p0}:ended:*")
                            .split(separator: "\n").count == 2
                    }
                    #expect(areWaiting)
                    let start = ContinuousClock.now
                    replica.process.signal(SIGTERM)
                    // It still takes requests, and waits no longer than its grace.
                    #expect(try client.post("c", headers: [("Prefer", "wait=30")]).status == 202)
                    // Long before the waits and the provider's first token.
                    #expect(replica.process.waitForExit(within: .seconds(10)) == .code(0))
                    #expect(ContinuousClock.now - start >= .milliseconds(1900))
                    return nil
                }
            }
            let posted = try #require(answers[0])
            #expect(posted.status == 202)
            let accepted = try client.decode(posted) as Client.Submitted
            #expect(accepted.status == "queued" && accepted.streamUrl.contains("?ticket="))
            let read = try #require(answers[1])
            #expect(read.status == 200)
            let document = try client.decode(read) as Client.Document
            #expect(document.correlationId == submitted.correlationId && document.status == "running")
        }
    }

    @Test("a request that takes longer than the last connections get is answered all the same")
    func slowAnswer() async throws {
        let settings = ["DRAIN_GRACE": "20s", "EVENT_LOOPS": "1"]
        let plan = Deployment.Plan(environment: settings, postgres: PostgresServer.Options())
        try await Deployment.running(plan) { deployment in
            let (client, replica) = (deployment.api, deployment.apis[0])
            deployment.database.server.pause()
            defer { deployment.database.server.resume() }
            let asking = try RawClient(port: client.port)
            asking.send("GET /api/conversations HTTP/1.1\r\nHost: a\r\n\r\n")
            // Answered after it was sent, so the first is in progress.
            #expect(try client.post("x").status == 202)
            replica.process.signal(SIGTERM)
            #expect(try asking.readResponse().status == 503)
            #expect(replica.process.waitForExit(within: .seconds(5)) == .code(0))
        }
    }

    @Test("a worker finishes short jobs and releases long ones, and leaves nothing pending")
    func worker() async throws {
        let settings = ["MOCK_TOKENS": "200", "MOCK_TOKEN_DELAY": "20ms", "DRAIN_GRACE": "500ms"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let first = deployment.workers[0]
            let submitted = try client.submit("a b c")
            let stream = try client.watch(submitted.streamUrl)
            var transcript = Transcript()
            try transcript.read(stream) { $0.names.contains("token") }
            first.process.signal(SIGTERM)
            try deployment.addWorker()
            #expect(first.process.waitForExit(within: .seconds(10)) == .code(0))
            try transcript.read(stream)
            #expect(transcript.text == echo("a b c", tokens: 200))
            #expect(transcript.faults.isEmpty)
            #expect(transcript.story == ["queued", "started", "token", "restarted", "token", "completed"])
            let restarted = try transcript.data(Restarted.self, of: "restarted")
            #expect(restarted?.attempt == 2)
            #expect(restarted?.reason == "handed_over")
            #expect(try deployment.askRedis("XPENDING", "lemma:{p0}:jobs", "workers").hasPrefix("0\n"))
        }
    }

    @Test("a job that ends within the grace is not handed over")
    func shortJob() async throws {
        let settings = ["MOCK_TOKENS": "40", "MOCK_TOKEN_DELAY": "20ms", "DRAIN_GRACE": "15s"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let worker = deployment.workers[0]
            let stream = try client.watch(try client.submit("a b c").streamUrl)
            var transcript = Transcript()
            try transcript.read(stream) { $0.names.contains("token") }
            worker.process.signal(SIGTERM)
            #expect(try await eventually { !worker.isReady })
            #expect(try HTTPCall.send("GET", port: worker.opsPort, "/healthz").status == 200)
            try transcript.read(stream)
            #expect(transcript.story == ["queued", "started", "token", "completed"])
            #expect(worker.process.waitForExit(within: .seconds(10)) == .code(0))
            #expect(try deployment.askRedis("XPENDING", "lemma:{p0}:jobs", "workers").hasPrefix("0\n"))
        }
    }

    @Test("problems that come while a worker stops are answered by the other one without waiting for a lease")
    func submissionsDuringDrain() async throws {
        // A problem that waited for a lease would outlast the limit of this suite.
        let settings = ["JOB_LEASE": "1h"]
        try await Deployment.running(Deployment.Plan(workers: 2, environment: settings)) { deployment in
            let client = deployment.api
            let worker = deployment.workers[0]
            _ = try await atOnce(8) { index in
                for round in 0..<25 {
                    if index == 0, round == 5 { worker.process.signal(SIGTERM) }
                    let transcript = try client.follow(try client.submit("job \(index) \(round)").streamUrl)
                    #expect(transcript.terminal?.name == "completed")
                }
            }
            #expect(worker.process.waitForExit(within: .seconds(10)) == .code(0))
        }
    }
}
