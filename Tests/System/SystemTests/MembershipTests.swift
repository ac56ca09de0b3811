import Glibc
import TestSupport
import Testing

@Suite("A worker's place in the consumer group", .tags(.system), .serialized, .timeLimit(.minutes(1)))
struct MembershipTests {
    @Test("is given up when it drains with nothing left to do, and that does not wait for its question for jobs")
    func drained() async throws {
        try await Deployment.running(Deployment.Plan(environment: ["EVENT_LOOPS": "1"])) { deployment in
            let client = deployment.api
            let submitted = try client.submit("a b c")
            _ = try client.follow(submitted.streamUrl)
            let consumers = { try deployment.askRedis("XINFO", "CONSUMERS", "lemma:{p0}:jobs", "workers") }
            #expect(try consumers().contains("idle"))
            let worker = deployment.workers[0]
            let start = ContinuousClock.now
            worker.process.signal(SIGTERM)
            #expect(worker.process.waitForExit(within: .seconds(5)) == .code(0))
            #expect(ContinuousClock.now - start < .milliseconds(1000 + busyMachine))
            let left = try consumers()
            #expect(!left.contains("idle"), "\(left)")
        }
    }
}
