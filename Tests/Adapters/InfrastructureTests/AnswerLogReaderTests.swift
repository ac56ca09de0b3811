import Application
import Domain
import EventLoop
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Watching an answer on Redis", .tags(.integration))
struct AnswerLogReaderTests {
    @Test("viewers from before, in the middle, at a cursor and after get the same events once each")
    func everyMoment() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let request = try await bench.submit()
            let id = request.correlationID
            let before = try await bench.watch(id)
            let twin = try await bench.watch(id)
            let delivery = try #require(try await consumer.receive(upTo: 1).first)
            guard case .claimed(let claim) = try await consumer.claim(delivery, bench.plan()) else { return }
            _ = try await bench.append("1-1", "1", to: claim)
            let middle = try await bench.watch(id)
            let resumed = try await bench.watch(id, after: "1-1")
            try await bench.waitForSubscribers(1, of: id)
            for number in 2...3 { _ = try await bench.append("1-\(number)", "\(number)", to: claim) }
            _ = try await consumer.finish(bench.finished(claim), at: .afterLast)
            let viewers = [before, twin, middle, resumed]
            try await eventually("the end", on: bench.loop) { viewers.allSatisfy { $0.end != nil } }
            let late = try await bench.watch(id)
            try await eventually("the end", on: bench.loop) { late.end != nil }
            for viewer in [before, twin, middle, late] {
                #expect(viewer.names == threeTokens)
                #expect(viewer.end == .terminal)
            }
            #expect(resumed.names == Array(threeTokens.dropFirst(3)))
            try await bench.waitForSubscribers(0, of: id)
            #expect(bench.answers.feeds.count == 0)
        }
    }

    @Test("the data delivered is the data stored, by push and by reading")
    func data() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let request = try await bench.submit()
            let live = try await bench.watch(request.correlationID)
            try await eventually("queued", on: bench.loop) { live.events.count == 1 }
            let delivery = try #require(try await consumer.receive(upTo: 1).first)
            guard case .claimed(let claim) = try await consumer.claim(delivery, bench.plan()) else { return }
            try await bench.finishAfterThreeTokens(claim, by: consumer)
            try await eventually("the end", on: bench.loop) { live.end != nil }
            let read = try await bench.watch(request.correlationID)
            try await eventually("the end", on: bench.loop) { read.end != nil }
            let stored = try await bench.events(of: request.correlationID)
            for viewer in [live, read] {
                let delivered = viewer.events.map {
                    "\($0.id?.description ?? "") \($0.name.rawValue) \(String(decoding: $0.data, as: UTF8.self))"
                }
                #expect(delivered == stored)
            }
        }
    }

    @Test("the last viewer unsubscribes the channel, and a later one subscribes again")
    func leaving() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let id = claim.request.correlationID
            let (one, two) = (try await bench.watch(id), try await bench.watch(id))
            try await bench.waitForSubscribers(1, of: id)
            one.subscription?.cancel()
            one.subscription?.cancel()
            #expect(bench.answers.feeds.count == 1)
            two.subscription?.cancel()
            #expect(bench.answers.feeds.count == 0)
            let again = try await bench.watch(id)
            try await eventually("two events", on: bench.loop) { again.events.count == 2 }
            _ = try await bench.append("1-1", "x", to: claim)
            try await eventually("three events", on: bench.loop) { again.events.count == 3 }
            again.subscription?.cancel()
            try await bench.waitForSubscribers(0, of: id)
            #expect(one.end == nil && two.end == nil && again.end == nil)
        }
    }

    @Test("many silent requests are probed with few commands, and an event whose push was lost is found")
    func silence() async throws {
        try await withRedis { bench in
            var requests: [CorrelationID] = []
            for _ in 0..<150 { requests.append(try await bench.submit().correlationID) }
            var viewers: [ViewerProbe] = []
            for request in requests { viewers.append(try await bench.watch(request)) }
            try await eventually("all live", on: bench.loop) { viewers.allSatisfy { $0.events.count == 1 } }
            try await bench.redis("CONFIG", "RESETSTAT")
            // Stored without a push, as when it was lost.
            try await bench.redis("XADD", bench.keys.events(requests[149]), "1-0", "e", "started", "d", "{}")
            try await eventually("the lost one", on: bench.loop) { viewers[149].names.last == "1-0 started" }
            let statistics = try await bench.redis("INFO", "commandstats").string ?? ""
            let calls = statistics.split(separator: "cmdstat_xread:calls=").last?.prefix { $0.isNumber } ?? ""
            #expect(try 1..<20 ~= #require(Int(calls)) && !statistics.contains("cmdstat_xrevrange"))
        }
    }

    @Test("a gap in the pushes is filled by reading, and a repeated push is dropped")
    func holes() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let id = claim.request.correlationID
            let viewer = try await bench.watch(id)
            try await bench.waitForSubscribers(1, of: id)
            try await eventually("two events", on: bench.loop) { viewer.events.count == 2 }
            // Stored without a push, as when it was lost.
            let (key, channel) = (bench.keys.events(id), bench.keys.live(id))
            for number in 1...3 {
                try await bench.redis("XADD", key, "1-\(number)", "e", "token", "d", #"{"text":"\#(number)"}"#)
            }
            try await bench.redis("SPUBLISH", channel, #"1-3 token {"text":"3"}"#)
            try await eventually("five events", on: bench.loop) { viewer.events.count == 5 }
            for text in [#"1-2 token {"text":"2"}"#, #"1-3 token {"text":"3"}"#, "nonsense", "", "1-4", "1-4 token"] {
                try await bench.redis("SPUBLISH", channel, text)
            }
            // The last message was an empty `1-4`, which is not stored; a stored event follows it.
            try await bench.redis("XADD", key, "1-5", "e", "token", "d", #"{"text":"5"}"#)
            try await bench.redis("SPUBLISH", channel, #"1-5 token {"text":"5"}"#)
            try await eventually("the last event", on: bench.loop) { viewer.names.last == "1-5 token" }
            #expect(viewer.names.prefix(5) == ["0-1 queued", "1-0 started", "1-1 token", "1-2 token", "1-3 token"])
        }
    }

    @Test("the end of an attempt is not skipped when only its successor's marker is pushed")
    func holeBeforeMarker() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let id = claim.request.correlationID
            let viewer = try await bench.watch(id)
            try await bench.waitForSubscribers(1, of: id)
            try await eventually("two events", on: bench.loop) { viewer.events.count == 2 }
            try await bench.redis("XADD", bench.keys.events(id), "1-1", "e", "token", "d", #"{"text":"1"}"#)
            _ = try await consumer.claim(claim.delivery, bench.plan())
            try await eventually("the marker", on: bench.loop) { viewer.names.last == "2-0 restarted" }
            #expect(viewer.names == ["0-1 queued", "1-0 started", "1-1 token", "2-0 restarted"])
        }
    }

    @Test("an event of a later version is skipped, and the events after it are delivered")
    func laterVersion() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let id = claim.request.correlationID
            try await bench.redis("XADD", bench.keys.events(id), "1-1", "e", "hologram", "d", "{}")
            let viewer = try await bench.watch(id)
            try await eventually("two events", on: bench.loop) { viewer.events.count == 2 }
            _ = try await bench.append("1-2", "x", to: claim)
            try await eventually("the next event", on: bench.loop) { viewer.events.count == 3 }
            #expect(viewer.names == ["0-1 queued", "1-0 started", "1-2 token"])
            #expect(viewer.end == nil)
        }
    }

    @Test("nothing is missing after the subscriber's connection was cut")
    func cutSubscriber() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let id = claim.request.correlationID
            let viewer = try await bench.watch(id)
            try await bench.waitForSubscribers(1, of: id)
            for number in 1...60 {
                _ = try await bench.append("1-\(number)", "\(number)", to: claim)
                if number % 25 == 0 { try await bench.redis("CLIENT", "KILL", "TYPE", "pubsub") }
            }
            try await eventually("all events", on: bench.loop) { viewer.events.count == 62 }
            #expect(viewer.names.dropFirst(2) == (1...60).map { "1-\($0) token" }[...])
        }
    }

    @Test("a viewer without room receives nothing, and every event once when it has room again")
    func stalled() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let id = claim.request.correlationID
            let viewer = try await bench.watch(id, room: 3)
            let other = try await bench.watch(id)
            try await bench.waitForSubscribers(1, of: id)
            for number in 1...20 { _ = try await bench.append("1-\(number)", "\(number)", to: claim) }
            try await eventually("the other's events", on: bench.loop) { other.events.count == 22 }
            #expect(viewer.events.count == 3)
            for _ in 0..<6 {
                viewer.room = 3
                viewer.subscription?.resume()
                let count = viewer.events.count
                try await eventually("more events", on: bench.loop) { viewer.events.count == count + 3 }
            }
            viewer.room = .max
            viewer.subscription?.resume()
            try await eventually("all events", on: bench.loop) { viewer.events.count == 22 }
            _ = try await bench.append("1-21", "21", to: claim)
            try await eventually("live again", on: bench.loop) { viewer.events.count == 23 }
            #expect(viewer.names.dropFirst(2) == (1...21).map { "1-\($0) token" }[...])
        }
    }

    @Test("a long stream is read in pages, while it grows")
    func pages() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let id = claim.request.correlationID
            for number in 1...1100 { _ = try await bench.append("1-\(number)", "\(number)", to: claim) }
            let viewer = try await bench.watch(id)
            for number in 1101...1300 { _ = try await bench.append("1-\(number)", "\(number)", to: claim) }
            try await eventually("all events", on: bench.loop) { viewer.events.count == 1302 }
            #expect(viewer.names.dropFirst(2) == (1...1300).map { "1-\($0) token" }[...])
        }
    }

    @Test("events appended while viewers come and go reach each of them once", arguments: [5, 6, 7] as [UInt64])
    func storm(seed: UInt64) async throws {
        try await withRedis { bench in
            // No viewer is to depend on a probe.
            bench.pushes.answers.silenceMilliseconds = .max
            var random = SeededRandom(seed: seed)
            let claim = try await bench.claimed(by: bench.consumer())
            let id = claim.request.correlationID
            var viewers: [(viewer: ViewerProbe, first: Int)] = []
            for number in 1...150 {
                // Not awaited: the append travels while viewers subscribe and read.
                bench.loop.spawn { _ = try? await bench.append("1-\(number)", "\(number)", to: claim) }
                if random.next() % 8 == 0 {
                    let cursor = Int.random(in: 0..<number, using: &random)
                    viewers.append((try await bench.watch(id, after: "1-\(cursor)"), cursor + 1))
                }
                if random.next() % 30 == 0 { try await bench.redis("CLIENT", "KILL", "TYPE", "pubsub") }
            }
            try await eventually("all events", on: bench.loop) {
                viewers.allSatisfy { $0.viewer.names.last == "1-150 token" }
            }
            for (viewer, first) in viewers {
                #expect(viewer.names == (first...150).map { "1-\($0) token" }, "seed \(seed)")
            }
        }
    }
}
