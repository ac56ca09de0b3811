import Application
import Domain
import EventLoop
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Waiting by push, on Redis", .tags(.integration))
struct PushedWaitTests {
    /// Longer than any test waits: what returns before was pushed.
    private static let limit = Duration.seconds(300)

    @Test("readers of a conversation are notified of each acknowledged record, and only they", .timeLimit(.minutes(1)))
    func kept() async throws {
        try await withRedis { bench in
            let queue = try await bench.recordQueue()
            let request = try await bench.submit()
            let other = try await bench.submit()
            let notices = bench.pushes.archiveNotices
            let readers = [await notices.watch(request.conversationID), await notices.watch(request.conversationID)]
            let stranger = await notices.watch(other.conversationID)
            let records = try await queue.receive(upTo: 10, waiting: true)
            try await queue.acknowledge(records.filter { $0.entry.request.conversationID == request.conversationID })
            for reader in readers { try await reader.next(within: Self.limit) }
            let start = ContinuousClock.now
            try await stranger.next(within: .milliseconds(20))
            try await readers[0].next(within: .milliseconds(20))
            #expect(ContinuousClock.now - start >= .milliseconds(35), "one push is told once")
            for reader in readers + [stranger] { reader.close() }
            let channel = bench.keys.archived(request.conversationID)
            let hasNone = { try await bench.redis("PUBSUB", "SHARDNUMSUB", channel).array?.last?.integer == 0 }
            #expect(try await TestSupport.eventually { try await hasNone() })
        }
    }

    @Test("a conversation that is first read while the replica closes makes its reader look", .timeLimit(.minutes(1)))
    func closed() async throws {
        try await withRedis { bench in
            let conversation = try await bench.submit().conversationID
            bench.pushes.close()
            let reader = await bench.pushes.archiveNotices.watch(conversation)
            try await reader.next(within: Self.limit)
            reader.close()
        }
    }
}
