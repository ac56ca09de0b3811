import Application
import Domain
import EventLoop
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

/// Pushes and answers travel on two connections, so they cross; here the test decides how.
@Suite("Pushes that cross answers", .tags(.integration))
struct CrossingTests {
    /// A cursor that is live after `1-1`, and the event that the feed is pushed next.
    private func livePlace(
        _ bench: RedisBench
    ) async throws -> (feed: AnswerFeed, viewer: ViewerProbe, key: String, next: StoredEvent) {
        let claim = try await bench.claimed(by: bench.consumer())
        let id = claim.request.correlationID
        _ = try await bench.append("1-1", "1", to: claim)
        let feed = AnswerFeed(try await bench.watched(id), reader: bench.answers)
        let viewer = ViewerProbe()
        feed.add(ViewerCursor(feed: feed, viewer: viewer, cursor: EventID(attempt: 0, sequence: 0)))
        try await eventually("three events", on: bench.loop) { viewer.events.count == 3 }
        // One more answer on the same connection: the page after those events has come, too.
        _ = try await bench.repository.lastEvent(of: id)
        let fields = ["e", "token", "d", #"{"text":"2"}"#].map { RedisValue.bytes(Array($0.utf8)) }
        let next = try #require(StoredEvent(.array([.bytes(Array("1-2".utf8)), .array(fields)])))
        return (feed, viewer, bench.keys.events(id), next)
    }

    @Test("an event pushed while an empty page is in flight is read at once")
    func emptyPage() async throws {
        try await withRedis { bench in
            let (feed, viewer, key, next) = try await livePlace(bench)
            defer { feed.close() }
            feed.readAgain()
            feed.push(next)
            // Behind the read on the same connection, so the page cannot have it.
            let command = RedisCommand("XADD", key, "1-2", "e", "token", "d", #"{"text":"2"}"#)
            bench.store.connection(of: 0).send(command) { _ in }
            #expect(viewer.events.count == 3)
            // No reader probes this feed, so no later probe can deliver the event.
            try await eventually("the event", on: bench.loop) { viewer.events.count == 4 }
            #expect(viewer.names.last == "1-2 token")
        }
    }

    @Test("a pushed event that is not stored is read for once, not repeatedly")
    func emptyPush() async throws {
        try await withRedis { bench in
            let (feed, viewer, _, next) = try await livePlace(bench)
            defer { feed.close() }
            feed.readAgain()
            feed.push(next)
            for _ in 0..<5 { _ = try await bench.repository.lastEvent(of: feed.id) }
            let before = try await bench.redis("INFO", "commandstats").string ?? ""
            // Further round trips on the connection of the feed: a read that it sent would be answered between them.
            for _ in 0..<20 { _ = try await bench.repository.lastEvent(of: feed.id) }
            let after = try await bench.redis("INFO", "commandstats").string ?? ""
            func reads(_ stats: String) -> Substring? {
                stats.split(separator: "\r\n").first { $0.hasPrefix("cmdstat_xrange:") }
            }
            #expect(reads(before) == reads(after))
            #expect(viewer.events.count == 3 && viewer.end == nil)
        }
    }

    @Test("an event pushed while a probe is in flight is not lost history")
    func probe() async throws {
        try await withRedis { bench in
            let (feed, viewer, _, next) = try await livePlace(bench)
            defer { feed.close() }
            feed.probe()
            feed.push(next)
            #expect(viewer.names.last == "1-2 token")
            // Answered behind the probe.
            for _ in 0..<3 { _ = try await bench.repository.lastEvent(of: feed.id) }
            #expect(viewer.events.count == 4, "no reset and nothing twice")
        }
    }
}
