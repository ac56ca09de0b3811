import TestSupport
import Testing

@Suite("Subscriptions of the replicas", .tags(.system), .serialized, .timeLimit(.minutes(1)))
struct PushConnectionTests {
    @Test("a worker subscribes on one connection, to the cancellations alone; an API replica to what is watched")
    func subscriptions() async throws {
        let settings = ["EVENT_LOOPS": "1", "MOCK_FIRST_TOKEN_DELAY": "30s"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let channels = {
                try deployment.askRedis("PUBSUB", "SHARDCHANNELS").split(separator: "\n").map(String.init)
            }
            /// How many channels each subscribed connection has.
            let connections = {
                try deployment.askRedis("CLIENT", "LIST").split(separator: "\n")
                    .compactMap { $0.split(separator: " ").first { $0.hasPrefix("ssub=") }?.dropFirst(5) }
                    .compactMap { Int($0) }
                    .filter { $0 > 0 }
            }
            #expect(try await eventually { try channels() == ["lemma:{p0}:control"] })
            #expect(try connections() == [1])

            let submitted = try deployment.api.submit("x")
            var transcript = Transcript()
            let stream = try deployment.api.watch(submitted.streamUrl)
            try transcript.read(stream) { $0.names.contains("started") }
            let live = "lemma:{p0}:live:\(submitted.correlationId)"
            #expect(try channels().sorted() == ["lemma:{p0}:control", live])
            #expect(try connections() == [1, 1], "the worker's and the API replica's")
            withExtendedLifetime(stream) {}
        }
    }
}
