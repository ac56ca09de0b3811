import Application
import Domain
import EventLoop
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Watching an answer of which Redis lost a part", .tags(.integration))
struct LostHistoryTests {
    @Test("an expired stream ends as gone")
    func gone() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let id = claim.request.correlationID
            let viewer = try await bench.watch(id)
            try await bench.waitForSubscribers(1, of: id)
            try await eventually("two events", on: bench.loop) { viewer.events.count == 2 }
            try await bench.redis("DEL", bench.keys.events(id))
            // After a reconnect it reads at once instead of after two seconds of silence.
            try await bench.redis("CLIENT", "KILL", "TYPE", "pubsub")
            try await eventually("the end", on: bench.loop) { viewer.end != nil }
            #expect(viewer.end == .gone && viewer.events.count == 2)
        }
    }

    @Test("lost history causes a reset, and the events still known follow")
    func reset() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let id = claim.request.correlationID
            for number in 1...3 { _ = try await bench.append("1-\(number)", "\(number)", to: claim) }
            let viewer = try await bench.watch(id)
            try await eventually("five events", on: bench.loop) { viewer.events.count == 5 }
            // By the reconnect, not by a later probe.
            bench.pushes.answers.silenceMilliseconds = .max
            try await bench.redis("XDEL", bench.keys.events(id), "1-2", "1-3")
            try await bench.redis("CLIENT", "KILL", "TYPE", "pubsub")
            try await eventually("the reset", on: bench.loop) { viewer.events.count == 9 }
            #expect(viewer.names.dropFirst(5) == ["reset", "0-1 queued", "1-0 started", "1-1 token"])
            #expect(String(decoding: viewer.events[5].data, as: UTF8.self) == #"{"reason":"history_lost"}"#)
        }
    }

    @Test("history that was lost and written anew is not mistaken for the events that the viewer has")
    func rewritten() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let id = claim.request.correlationID
            for number in 1...9 { _ = try await bench.append("1-\(number)", "\(number)", to: claim) }
            let viewer = try await bench.watch(id)
            try await eventually("eleven events", on: bench.loop) { viewer.events.count == 11 }
            // Redis has restarted with an older state, and the next attempt has begun in it.
            try await bench.redis("XDEL", bench.keys.events(id), "1-8", "1-9")
            guard case .claimed(let next) = try await consumer.claim(claim.delivery, bench.plan(.historyLost)) else {
                return
            }
            try await bench.redis("CLIENT", "KILL", "TYPE", "pubsub")
            try await eventually("the marker", on: bench.loop) { viewer.names.last == "2-0 restarted" }
            #expect(viewer.names.contains("reset"))
            _ = try await bench.append("2-1", "new", to: next)
            try await eventually("a token", on: bench.loop) { viewer.names.last == "2-1 token" }
        }
    }

    @Test(
        "a new event with the id of a lost one is not mistaken for it, neither at once nor after a reconnect",
        arguments: [true, false],
    )
    func numbersUsedAgain(isPushed: Bool) async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let (id, key) = (claim.request.correlationID, bench.keys.events(claim.request.correlationID))
            for number in 1...3 { _ = try await bench.append("1-\(number)", "old \(number)", to: claim) }
            let viewer = try await bench.watch(id)
            try await eventually("five events", on: bench.loop) { viewer.events.count == 5 }
            // Redis has restarted without the whole attempt, and the next one, which has its number, has appended more.
            try await bench.redis("DEL", key)
            try await bench.redis("XADD", key, "0-1", "e", "queued", "d", "{}")
            guard case .claimed(let next) = try await consumer.claim(claim.delivery, bench.plan(.historyLost)) else {
                return
            }
            #expect(next.attempt == 1)
            // Not pushed: the restart of Redis has closed the push connection, too.
            for number in 1...4 {
                try await bench.redis("XADD", key, "1-\(number)", "e", "token", "d", #"{"text":"new \#(number)"}"#)
            }
            if isPushed {
                // Before the new connection has confirmed all channels.
                bench.pushes.subscriberDidLoseConnection()
                try await bench.redis("SPUBLISH", bench.keys.live(id), #"1-4 token {"text":"new 4"}"#)
            } else {
                try await bench.redis("CLIENT", "KILL", "TYPE", "pubsub")
            }
            let anew = ["reset", "0-1 queued", "1-0 started", "1-1 token", "1-2 token", "1-3 token", "1-4 token"]
            try await eventually("the reset", on: bench.loop) { viewer.events.count == 5 + anew.count }
            #expect(Array(viewer.names.dropFirst(5)) == anew)
            #expect(viewer.lastData == #"{"text":"new 4"}"#)
            // A client that disconnected right after the reset still has the old cursor.
            let record = try await bench.record(id)
            #expect(record.isLost(EventID(attempt: 1, sequence: 3)))
            #expect(!record.isLost(EventID(attempt: 1, sequence: 4)))
        }
    }

    @Test("the furthest lost event of each attempt stays noted, and nothing is noted for a request that has expired")
    func lostEvents() async throws {
        try await withRedis { bench in
            let id = try await bench.submit().correlationID
            for (told, kept) in [
                ("2-3", ["2-3"]), ("1-9", ["1-9", "2-3"]), ("2-2", ["1-9", "2-3"]), ("2-10", ["1-9", "2-10"]),
                ("3-1", ["1-9", "2-10", "3-1"]),
            ] {
                try await bench.repository.noteLost(try #require(EventID(told)), of: id)
                #expect(Set(try await bench.record(id).lost.map(\.description)) == Set(kept))
            }
            try await bench.redis("DEL", bench.keys.request(id))
            try await bench.repository.noteLost(.queued, of: id)
            #expect(try await bench.redis("EXISTS", bench.keys.request(id)).integer == 0)
        }
    }

    @Test("an implausible cursor is not noted, so that a true loss is found and other viewers are not reset")
    func claims() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let id = claim.request.correlationID
            for number in 1...3 { _ = try await bench.append("1-\(number)", "\(number)", to: claim) }
            // Before, beyond what any attempt can be, longer than there was time for, and before this attempt.
            for made in ["9999-9999", "6-1", "9007199254740991-1", "1-9007199254740991", "1-60000", "0-5"] {
                try await bench.repository.noteLost(try #require(EventID(made)), of: id)
                #expect(try await bench.record(id).lost.isEmpty, "\(made)")
            }
            // A plausible claim hides no other loss.
            try await bench.repository.noteLost(try #require(EventID("5-7")), of: id)
            #expect(try await !bench.record(id).isLost(EventID(attempt: 1, sequence: 2)))

            // Redis loses the attempt; another one gets its number and appends beyond the client's last event.
            try await bench.redis("DEL", bench.keys.events(id))
            try await bench.redis("XADD", bench.keys.events(id), "0-1", "e", "queued", "d", "{}")
            let lost = EventID(attempt: 1, sequence: 3)
            try await bench.repository.noteLost(lost, of: id)
            for number in 0...5 {
                try await bench.redis("XADD", bench.keys.events(id), "1-\(number)", "e", "token", "d", "{}")
            }
            let record = try await bench.record(id)
            #expect(record.isLost(lost) && !record.isLost(EventID(attempt: 1, sequence: 4)))
        }
    }

    @Test("a note of the release before counts, and it finds one of this release")
    func notesOfBothReleases() async throws {
        try await withRedis { bench in
            let id = try await bench.submit().correlationID
            try await bench.redis("HSET", bench.keys.request(id), "lost", "1-4")
            #expect(try await bench.record(id).lost == [EventID(attempt: 1, sequence: 4)])
            try await bench.repository.noteLost(EventID(attempt: 2, sequence: 1), of: id)
            #expect(try await bench.redis("HGET", bench.keys.request(id), "lost").string == "2-1")
            #expect(try await bench.record(id).isLost(EventID(attempt: 1, sequence: 4)))
        }
    }

    @Test("an end with the id of a lost event reaches a viewer that had that event, at the next probe")
    func endInThePlaceOfALostEvent() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let id = claim.request.correlationID
            _ = try await bench.append("1-1", "x", to: claim)
            let viewer = try await bench.watch(id)
            #expect(try await eventually { viewer.names.last == "1-1 token" })
            // As after a roll-back whose re-reading was over before the end was written.
            try await bench.redis("XDEL", bench.keys.events(id), "1-1")
            try await bench.redis("XADD", bench.keys.events(id), "1-2", "e", "token", "d", "{}")
            try await bench.redis("XDEL", bench.keys.events(id), "1-2")
            try await bench.redis("XSETID", bench.keys.events(id), "1-0")
            let data = #"{"reason":"requested"}"#
            try await bench.redis("XADD", bench.keys.events(id), "1-1", "e", "cancelled", "d", data)
            #expect(try await eventually { viewer.end == .terminal })
            #expect(viewer.names.suffix(4) == ["reset", "0-1 queued", "1-0 started", "1-1 cancelled"])
        }
    }
}
