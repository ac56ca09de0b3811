import Glibc
import TestSupport
import Testing

@Suite("A worker's place in the consumer group", .tags(.system), .serialized, .timeLimit(.minutes(1)))
struct MembershipTests {
    @Test("ends when an idle worker drains, without waiting for its blocked read")
    func drained() async throws {
        try await Deployment.running(Deployment.Plan(environment: ["EVENT_LOOPS": "1"])) { deployment in
            let client = deployment.api
            let submitted = try client.submit("a b c")
            _ = try client.follow(submitted.streamUrl)
            let consumers = { try deployment.askRedis("XINFO", "CONSUMERS", "lemma:{p0}:jobs", "workers") }
            #expect(try consumers().contains("idle"))
            // The worker's reads for jobs and for records block for two seconds each; the drain unblocks both.
            let areBlocked = try await eventually {
                try deployment.askRedis("INFO", "clients").contains("blocked_clients:2")
            }
            #expect(areBlocked)
            let unblocks = try unblocks(deployment)
            let worker = deployment.workers[0]
            worker.process.signal(SIGTERM)
            #expect(worker.process.waitForExit(within: .seconds(20)) == .code(0))
            #expect(try self.unblocks(deployment) >= unblocks + 2)
            let left = try consumers()
            #expect(!left.contains("idle"), "\(left)")
        }
    }

    /// The number of commands that end a blocked read.
    private func unblocks(_ deployment: Deployment) throws -> Int {
        let statistics = try deployment.askRedis("INFO", "commandstats")
        return statistics.firstMatch(of: /cmdstat_client\|unblock:calls=([0-9]+),/).flatMap { Int($0.1) } ?? 0
    }
}
