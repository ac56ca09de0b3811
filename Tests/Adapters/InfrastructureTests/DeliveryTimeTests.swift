import Application
import Domain
import EventLoop
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("The time of an append, with a sample of the events", .tags(.integration))
struct DeliveryTimeTests {
    /// Microseconds since 1970 by the system's clock.
    private var now: Int64 { SystemClock().now().milliseconds * 1000 }

    /// Watches a claimed request until its marker has come, so that what follows is pushed.
    private func watched(_ bench: RedisBench) async throws -> (JobClaim, ViewerProbe) {
        let claim = try await bench.claimed(by: bench.consumer())
        let viewer = try await bench.watch(claim.request.correlationID)
        try await bench.waitForSubscribers(1, of: claim.request.correlationID)
        try await eventually("two events", on: bench.loop) { viewer.events.count == 2 }
        return (claim, viewer)
    }

    @Test("the first event of an attempt and every 32nd after it bring it to a live viewer, the others do not")
    func sample() async throws {
        try await withRedis { bench in
            let (claim, viewer) = try await watched(bench)
            let writer = bench.writers.writer(for: claim)
            let began = now
            for _ in 0..<40 {
                writer.append(.token, "x")
                _ = try await writer.flush()
            }
            try await eventually("forty more", on: bench.loop) { viewer.events.count == 42 }
            let timed = viewer.events.filter { $0.appendedMicroseconds != nil }
            #expect(timed.map(\.id?.sequence) == [1, 33])
            // The clock that is compared with has whole milliseconds.
            for event in timed { #expect((began - 1000...now + 1000).contains(event.appendedMicroseconds ?? 0)) }
        }
    }

    @Test("what is read of the past has none; what is read because its push was lost has")
    func reading() async throws {
        try await withRedis { bench in
            let (claim, viewer) = try await watched(bench)
            let id = claim.request.correlationID
            _ = try await bench.append("1-1", "x", to: claim)
            try await eventually("its push", on: bench.loop) { viewer.events.count == 3 }
            for (number, time) in [(2, "5"), (3, "-7"), (4, "1x"), (5, "")] {
                let data = #"{"text":"\#(number)"}"#
                try await bench.redis(
                    "XADD",
                    bench.keys.events(id),
                    "1-\(number)",
                    "e",
                    "token",
                    "d",
                    data,
                    "t",
                    time,
                )
            }
            _ = try await bench.append("1-6", "x", to: claim)
            try await eventually("all", on: bench.loop) { viewer.events.count == 8 }
            #expect(viewer.events.map(\.appendedMicroseconds) == [nil, nil, nil, 5, nil, nil, nil, nil])
            let late = try await bench.watch(id)
            try await eventually("all again", on: bench.loop) { late.events.count == 8 }
            #expect(late.events.allSatisfy { $0.appendedMicroseconds == nil })
        }
    }

    @Test("a time is for the very next event only, and what is no time is left out")
    func pushes() async throws {
        try await withRedis { bench in
            let (claim, viewer) = try await watched(bench)
            let channel = bench.keys.live(claim.request.correlationID)
            for message in ["1-2 9", "1-1 7", "1-1 -1", "1-1 99999999999999999999"] {
                try await bench.redis("SPUBLISH", channel, message)
            }
            for number in 1...2 { _ = try await bench.append("1-\(number)", "x", to: claim) }
            try await eventually("two more", on: bench.loop) { viewer.events.count == 4 }
            #expect(viewer.events.map(\.appendedMicroseconds) == [nil, nil, 7, nil])
        }
    }

    @Test("a replica of an earlier release ignores the message with the time of an append")
    func olderReplica() {
        let message = Array("1-33 1790000000000000".utf8)
        let event = StoredEvent(pushed: message.span)
        #expect(event == nil)
    }
}
