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
    private let whole = ["0-1 queued", "1-0 started", "1-1 token", "1-2 token", "1-3 token", "1-4 completed"]

    /// Writes three tokens and the end.
    private func finish(_ bench: RedisBench, _ claim: JobClaim, by consumer: RedisMessageConsumer) async throws {
        for number in 1...3 { _ = try await bench.append("1-\(number)", "\(number)", to: claim) }
        #expect(
            try await consumer.finish(bench.finished(claim), at: .id(EventID(attempt: 1, sequence: 4))) == .finished
        )
    }

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
                #expect(viewer.names == whole)
                #expect(viewer.end == .terminal)
            }
            #expect(resumed.names == Array(whole.dropFirst(3)))
            try await bench.waitForSubscribers(0, of: id)
            #expect(bench.answers.feedCount == 0)
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
            try await finish(bench, claim, by: consumer)
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

    @Test("the channel is left with the last viewer, and watching again goes on")
    func leaving() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let id = claim.request.correlationID
            let (one, two) = (try await bench.watch(id), try await bench.watch(id))
            try await bench.waitForSubscribers(1, of: id)
            one.subscription?.cancel()
            one.subscription?.cancel()
            #expect(bench.answers.feedCount == 1)
            two.subscription?.cancel()
            #expect(bench.answers.feedCount == 0)
            let again = try await bench.watch(id)
            try await eventually("two events", on: bench.loop) { again.events.count == 2 }
            _ = try await bench.append("1-1", "x", to: claim)
            try await eventually("three events", on: bench.loop) { again.events.count == 3 }
            again.subscription?.cancel()
            try await bench.waitForSubscribers(0, of: id)
            #expect(one.end == nil && two.end == nil && again.end == nil)
        }
    }

    @Test("many silent requests are asked about with few commands, and a push that one lost is found")
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

    @Test("a hole in what is pushed is filled by reading, and what comes twice is dropped")
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
            // The last message was an empty `1-4`, which nobody stored; a real one comes after it.
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

    @Test("an event of a later version is left out, and what follows it is not")
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

    @Test("a viewer without room is left alone, and gets everything once when it has room again")
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

    @Test("an expired stream ends as gone")
    func gone() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let id = claim.request.correlationID
            let viewer = try await bench.watch(id)
            try await bench.waitForSubscribers(1, of: id)
            try await eventually("two events", on: bench.loop) { viewer.events.count == 2 }
            try await bench.redis("DEL", bench.keys.events(id))
            // A reconnect makes it look at once instead of after two silent seconds.
            try await bench.redis("CLIENT", "KILL", "TYPE", "pubsub")
            try await eventually("the end", on: bench.loop) { viewer.end != nil }
            #expect(viewer.end == .gone && viewer.events.count == 2)
        }
    }

    @Test("lost history is told by a reset, and what is still known follows")
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

    @Test("history that was lost and written anew is not taken for what the viewer has seen")
    func rewritten() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let id = claim.request.correlationID
            for number in 1...9 { _ = try await bench.append("1-\(number)", "\(number)", to: claim) }
            let viewer = try await bench.watch(id)
            try await eventually("eleven events", on: bench.loop) { viewer.events.count == 11 }
            // Redis is back with an older state, and the next attempt has begun in it.
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
        "an event that has got the id of a lost one is not taken for it, neither now nor after a reconnect",
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
            // Redis is back without the whole attempt, and the next one, which has its number, has come further.
            try await bench.redis("DEL", key)
            try await bench.redis("XADD", key, "0-1", "e", "queued", "d", "{}")
            guard case .claimed(let next) = try await consumer.claim(claim.delivery, bench.plan(.historyLost)) else {
                return
            }
            #expect(next.attempt == 1)
            // Not pushed: the restart of Redis has cut the viewers off too.
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
            // Who broke off right after the reset still has the old cursor.
            let record = try await bench.record(id)
            #expect(record.isLost(EventID(attempt: 1, sequence: 3)))
            #expect(!record.isLost(EventID(attempt: 1, sequence: 4)))
        }
    }

    @Test("what is lost stays noted: the furthest event of each attempt, and never for a request that is gone")
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

    @Test("what a client makes up is not noted, so that a true loss shows and others are not reset")
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
            // One that could be true hides no other.
            try await bench.repository.noteLost(try #require(EventID("5-7")), of: id)
            #expect(try await !bench.record(id).isLost(EventID(attempt: 1, sequence: 2)))

            // Redis forgets the attempt, another one gets its number and passes the client's last event.
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

    @Test("a request that was accepted just now is watched from its queued event on, which is not read again")
    func accepted() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await bench.submit()
            let request = bench.makeRequest()
            let publication = try await bench.publisher().publish(request, in: .new, as: nil)
            let viewer = ViewerProbe()
            viewer.subscription = bench.answers.watch(
                AcceptedRequest(
                    request: request,
                    createdAt: publication.createdAt,
                    position: publication.position,
                    jobNumber: publication.jobNumber,
                ),
                viewer: viewer,
            )
            #expect(viewer.names == ["0-1 queued"], "delivered at once")
            let stored = try await bench.events(of: request.correlationID)
            #expect(stored == ["0-1 queued \(viewer.lastData)"])
            try await bench.waitForSubscribers(1, of: request.correlationID)
            // Its later places follow from the number that the submission returned.
            let claim = try await bench.claimNext(by: consumer)
            #expect(claim.request.correlationID == first.correlationID)
            try await eventually("a new position", on: bench.loop) { viewer.events.count == 2 }
            #expect(viewer.names.last == "queued" && viewer.lastData.hasSuffix(#""position":1}"#))
            let next = try await bench.claimNext(by: consumer)
            try await finish(bench, next, by: consumer)
            try await eventually("the end", on: bench.loop) { viewer.end == .terminal }
            #expect(viewer.names == ["0-1 queued", "queued"] + whole.dropFirst())
        }
    }

    @Test("an accepted request that waits in its conversation's queue has no job number")
    func acceptedBehindAnother() async throws {
        try await withRedis { bench in
            let first = try await bench.submit()
            let next = bench.makeRequest(user: first.userID, in: first.conversationID)
            let publication = try await bench.publisher().publish(next, in: .named, as: nil)
            #expect(publication.jobNumber == nil)
            let alone = try await bench.publisher().publish(bench.makeRequest(), in: .new, as: nil)
            #expect(alone.jobNumber == 2)
        }
    }

    @Test("a place in line is told when it changes, and only then")
    func positions() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            for _ in 0..<3 { _ = try await bench.submit() }
            let request = try await bench.submit()
            let viewer = try await bench.watch(request.correlationID)
            try await eventually("queued", on: bench.loop) { viewer.events.count == 1 }
            #expect(viewer.lastData.hasSuffix(#""position":4}"#))
            // Before the first look at the line.
            #expect(try await consumer.receive(upTo: 2).count == 2)
            try await eventually("a new position", on: bench.loop) { viewer.events.count == 2 }
            #expect(viewer.names == ["0-1 queued", "queued"])
            #expect(viewer.lastData.hasSuffix(#""position":2}"#))
            #expect(viewer.lastData.contains(request.correlationID.description))
        }
    }

    @Test("the position in a conversation's queue is reported when it changes, there and once the request is a job")
    func positionInLine() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await bench.submit()
            let claim = try await bench.claimNext(by: consumer)
            let second = try await bench.submit(after: first)
            let third = try await bench.submit(after: first)
            let viewer = try await bench.watch(third.correlationID)
            try await eventually("the first event", on: bench.loop) { viewer.events.count == 1 }
            #expect(viewer.lastData.hasSuffix(#""position":2}"#))
            // Jobs of others that come and go do not change its place.
            for _ in 0..<3 { _ = try await bench.claimed(by: consumer) }
            for _ in 0..<2 { _ = try await bench.submit() }
            try await eventually("jobs before it", on: bench.loop) { viewer.events.count == 2 }
            #expect(viewer.lastData.hasSuffix(#""position":4}"#))
            for _ in 0..<2 { _ = try await bench.claimNext(by: consumer) }
            _ = try await consumer.finish(bench.finished(claim), at: .afterLast)
            let next = try await bench.claimNext(by: consumer)
            #expect(next.request.correlationID == second.correlationID)
            try await eventually("the next in line", on: bench.loop) { viewer.lastData.hasSuffix(#""position":1}"#) }
            _ = try await bench.submit()
            _ = try await consumer.finish(bench.finished(next), at: .afterLast)
            try await eventually("behind another", on: bench.loop) { viewer.lastData.hasSuffix(#""position":2}"#) }
            _ = try await bench.claimNext(by: consumer)
            try await eventually("the next job", on: bench.loop) { viewer.lastData.hasSuffix(#""position":1}"#) }
        }
    }

    @Test("an end that has got the id of a lost event is told to a viewer that had that event, in the silence after it")
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
