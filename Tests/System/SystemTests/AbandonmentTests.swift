import FoundationEssentials
import TestSupport
import Testing

@Suite("A request that ends when nobody watches it", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct AbandonmentTests {
    /// Half a second of grace, and answers of two seconds.
    private static let settings = ["DISCONNECT_GRACE": "500ms", "MOCK_TOKENS": "100", "MOCK_TOKEN_DELAY": "20ms"]

    private struct Cancelled: Decodable {
        let reason: String
        let attempts: Int
    }

    private func submit(
        _ client: Client,
        _ onDisconnect: String = "cancel",
        headers: [(String, String)] = []
    ) throws -> Client.Submitted {
        let body = #"{"problem":"a b c","options":{"onDisconnect":"\#(onDisconnect)"}}"#
        let response = try HTTPCall.send("POST", port: client.port, "/api/math/solve", headers: headers, body: body)
        guard response.status == 202 else { throw Client.Unexpected(response: response) }
        return try client.decode(response)
    }

    /// Watches until the first token, then leaves; returns the id of the last event.
    @discardableResult
    private func watchAndLeave(_ client: Client, _ url: String, until name: String = "token") throws -> String? {
        let stream = try client.watch(url)
        var transcript = Transcript()
        try transcript.read(stream) { $0.names.contains(name) }
        return transcript.lastID
    }

    private func status(_ client: Client, _ id: String) throws -> String { try client.read(id).status }

    private func checkCancelled(_ client: Client, _ submitted: Client.Submitted, attempts: Int) throws {
        let transcript = try client.follow(submitted.streamUrl)
        #expect(transcript.faults.isEmpty)
        let data = try transcript.data(Cancelled.self, of: "cancelled")
        #expect(data?.reason == "disconnected")
        #expect(data?.attempts == attempts)
    }

    @Test("is cancelled after the grace when its only client left, and the provider's call is cut")
    func leaves() async throws {
        let settings = Self.settings.merging(["MOCK_TOKENS": "5000"]) { $1 }
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let submitted = try submit(client)
            try watchAndLeave(client, submitted.streamUrl)
            let start = ContinuousClock.now
            let over = try await eventually { try status(client, submitted.correlationId) == "cancelled" }
            #expect(over)
            #expect(ContinuousClock.now - start >= .milliseconds(400), "not before the grace")
            try checkCancelled(client, submitted, attempts: 1)
            #expect(try deployment.workers[0].metric("lemma_jobs_active") == 0)
        }
    }

    @Test("is cancelled before any attempt when it is left in the queue")
    func leftInTheQueue() async throws {
        try await Deployment.running(Deployment.Plan(workers: 0, environment: Self.settings)) { deployment in
            let client = deployment.api
            let submitted = try submit(client)
            try watchAndLeave(client, submitted.streamUrl, until: "queued")
            let over = try await eventually { try status(client, submitted.correlationId) == "cancelled" }
            #expect(over)
            try checkCancelled(client, submitted, attempts: 0)
        }
    }

    @Test("completes for a client that reconnects in time, on another replica")
    func comesBack() async throws {
        let plan = Deployment.Plan(apis: 2, environment: Self.settings.merging(["DISCONNECT_GRACE": "2s"]) { $1 })
        try await Deployment.running(plan) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            let submitted = try submit(clients[0])
            var last = try watchAndLeave(clients[0], submitted.streamUrl)
            for _ in 0..<3 {
                let stream = try clients[1].watch(submitted.streamUrl, after: last)
                last = try stream.next()?.id
            }
            let transcript = try clients[1].follow(submitted.streamUrl)
            #expect(transcript.terminal?.name == "completed")
            #expect(transcript.text == echo("a b c", tokens: 100))
            #expect(transcript.faults.isEmpty)
        }
    }

    @Test("is cancelled when the replica with its only viewer is killed, in the queue or running", arguments: [0, 1])
    func replicaKilled(workers: Int) async throws {
        let settings = Self.settings.merging(["MOCK_TOKENS": "5000"]) { $1 }
        let plan = Deployment.Plan(apis: 2, workers: workers, environment: settings)
        try await Deployment.running(plan) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            let submitted = try submit(clients[0])
            let stream = try clients[0].watch(submitted.streamUrl)
            var transcript = Transcript()
            try transcript.read(stream) { $0.names.contains(workers == 0 ? "queued" : "token") }
            deployment.apis[0].kill()
            // Its viewer expires after five seconds, then comes the grace.
            let over = try await eventually {
                try status(clients[1], submitted.correlationId) == "cancelled"
            }
            #expect(over)
            try checkCancelled(clients[1], submitted, attempts: workers)
        }
    }

    @Test("completes while one of two viewers, on two replicas, stays")
    func oneOfTwoLeaves() async throws {
        try await Deployment.running(Deployment.Plan(apis: 2, environment: Self.settings)) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            let submitted = try submit(clients[0])
            let staying = try clients[1].watch(submitted.streamUrl)
            var transcript = Transcript()
            try transcript.read(staying) { $0.names.contains("started") }
            try watchAndLeave(clients[0], submitted.streamUrl)
            try transcript.read(staying)
            #expect(transcript.terminal?.name == "completed")
            #expect(transcript.text == echo("a b c", tokens: 100))
        }
    }

    @Test("completes if it never had a viewer, and so does one that is to continue without viewers")
    func neverWatchedOrContinued() async throws {
        try await Deployment.running(Deployment.Plan(environment: Self.settings)) { deployment in
            let client = deployment.api
            let unwatched = try submit(client)
            let continued = try submit(client, "continue")
            try watchAndLeave(client, continued.streamUrl)
            for submitted in [unwatched, continued] {
                let over = try await eventually(within: .seconds(15)) {
                    try status(client, submitted.correlationId) == "completed"
                }
                #expect(over)
                #expect(try client.read(submitted.correlationId).answer == echo("a b c", tokens: 100))
            }
        }
    }

    @Test("counts a client that waits for the finished request as a viewer")
    func waiting() async throws {
        let settings = Self.settings.merging(["MOCK_TOKENS": "5000"]) { $1 }
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let submitted = try submit(client, headers: [("Prefer", "wait=2")])
            #expect(try status(client, submitted.correlationId) == "running", "it waited for longer than the grace")
            let over = try await eventually { try status(client, submitted.correlationId) == "cancelled" }
            #expect(over)
        }
    }

    @Test("survives an outage of Redis that is longer than the grace, as its viewer does")
    func outage() async throws {
        let settings = Self.settings.merging(["MOCK_TOKENS": "600"]) { $1 }
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let submitted = try submit(client)
            let stream = try client.watch(submitted.streamUrl)
            var transcript = Transcript()
            try transcript.read(stream) { $0.names.contains("token") }
            deployment.redis.pause()
            // The length of the outage: longer than the lifetime of a viewer and the grace. Redis, whose clock decides, is
            // frozen and can give no signal.
            try await ContinuousClock().sleep(for: .seconds(7))
            deployment.redis.resume()
            try transcript.read(stream)
            #expect(transcript.terminal?.name == "completed")
            #expect(transcript.text == echo("a b c", tokens: 600))
            #expect(transcript.faults.isEmpty)
        }
    }
}
