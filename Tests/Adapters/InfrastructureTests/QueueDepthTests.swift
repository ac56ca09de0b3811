import Application
internal import EventLoop
internal import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("The depth of the queue, on Redis", .tags(.integration))
struct QueueDepthTests {
    @Test("the limit is that of all partitions together, each with an equal share")
    func partitions() async throws {
        try await withRedis { bench in
            let store = bench.store(partitions: 4)
            defer { store.close() }
            let publisher = RedisMessagePublisher(store: store, limits: .init(waiting: 10))
            var refused = 0
            // Enough to fill every partition.
            for _ in 0..<200 {
                do {
                    _ = try await publisher.publish(bench.makeRequest(), in: .new, as: nil)
                } catch PublishFailure.queueFull {
                    refused += 1
                }
            }
            for partition in 0..<4 {
                #expect(try await bench.redis("XLEN", store.keys.jobs(partition)).integer == 3)
            }
            #expect(refused == 188)
        }
    }
}
