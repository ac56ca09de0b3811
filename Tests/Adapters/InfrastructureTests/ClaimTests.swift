import Application
import Domain
import EventLoop
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Claiming and owning jobs on Redis", .tags(.integration))
struct ClaimTests {
    private func outcome(_ result: ClaimResult) -> String {
        switch result {
        case .claimed(let claim): "claimed \(claim.attempt)"
        case .exhausted(let claim): "exhausted \(claim.attempt)"
        case .cancelled(let claim, let reason): "cancelled \(claim.attempt) \(reason)"
        case .settled: "settled"
        }
    }

    @Test("a claim writes and publishes the attempt's marker; a further one names its reason")
    func markers() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let request = try await bench.submit(provider: "mock")
            let delivery = try #require(try await consumer.receive(upTo: 1).first)
            #expect(delivery.requestedProvider == "mock")
            #expect(outcome(try await consumer.claim(delivery, bench.plan())) == "claimed 1")
            #expect(outcome(try await consumer.claim(delivery, bench.plan(.providerFailed))) == "claimed 2")
            let events = try await bench.events(of: request.correlationID).dropFirst()
            #expect(
                Array(events) == [
                    #"1-0 started {"attempt":1,"provider":"mock","model":"mock-1"}"#,
                    #"2-0 restarted {"attempt":2,"reason":"provider_failed","provider":"mock","model":"mock-1"}"#,
                ]
            )
            let record = try await bench.record(request.correlationID)
            #expect(record.status == .running && record.attempts == 2 && record.startedAt != nil)
            for key in [bench.keys.request(request.correlationID), bench.keys.events(request.correlationID)] {
                let expiry = try #require(try await bench.redis("TTL", key).integer)
                #expect((7190...7200).contains(expiry), "extended while it runs")
            }
        }
    }

    @Test("only the owner of the entry can claim")
    func owner() async throws {
        try await withRedis { bench in
            let (owner, thief) = (bench.consumer("owner"), bench.consumer("thief"))
            let request = try await bench.submit()
            let delivery = try #require(try await owner.receive(upTo: 1).first)
            #expect(outcome(try await thief.claim(delivery, bench.plan())) == "settled")
            #expect(try await bench.eventNames(of: request.correlationID) == ["0-1 queued"])
            #expect(try await bench.group("pending")?.integer == 1, "the owner still has it")
            #expect(outcome(try await owner.claim(delivery, bench.plan())) == "claimed 1")
        }
    }

    @Test("a newer claim refuses every append of the older attempt")
    func fencing() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            #expect(try await bench.append("1-1", "a", to: claim) == 1)
            #expect(outcome(try await consumer.claim(claim.delivery, bench.plan())) == "claimed 2")
            for id in ["1-2", "1-999999", "2-0"] {
                await #expect(throws: (any Error).self) { _ = try await bench.append(id, "zombie", to: claim) }
            }
            #expect(
                try await bench.eventNames(of: claim.request.correlationID)
                    == ["0-1 queued", "1-0 started", "1-1 token", "2-0 restarted"]
            )
        }
    }

    @Test(
        "when the attempts are used up a claim says so, writes nothing, and the end tells the attempts that were made"
    )
    func exhausted() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer(attemptsMax: 2)
            let claim = try await bench.claimed(by: consumer)
            let id = claim.request.correlationID
            #expect(outcome(try await consumer.claim(claim.delivery, bench.plan())) == "claimed 2")
            guard case .exhausted(let last) = try await consumer.claim(claim.delivery, bench.plan()) else {
                Issue.record("not exhausted")
                return
            }
            #expect(last.attempt == 3)
            #expect(try await bench.eventNames(of: id).last == "2-0 restarted")
            let failure = RequestFailure(kind: .attemptsExhausted, detail: "No more.")
            let end = bench.finished(last, .failed(failure))
            #expect(try await consumer.finish(end, at: .id(EventID(attempt: 3, sequence: 0))) == .finished)
            let event = try #require(try await bench.events(of: id).last)
            #expect(event.hasPrefix("3-0 failed {"))
            #expect(event.contains(#""attempts":2"#))
            let record = try await bench.record(id)
            #expect(record.status == .failed && record.attempts == 2 && record.failure == failure)
        }
    }

    @Test("an attempt that was handed over does not count")
    func handedOver() async throws {
        try await withRedis { bench in
            let (old, new) = (bench.consumer("old", attemptsMax: 1), bench.consumer("new", attemptsMax: 1))
            let claim = try await bench.claimed(by: old)
            try await old.release([claim.delivery])
            let taken = try #require(try await new.takeOver(upTo: 5).first, "at once, long before the lease is over")
            #expect(taken.correlationID == claim.request.correlationID)
            #expect(outcome(try await new.claim(taken, bench.plan())) == "claimed 2")
            #expect(try await bench.events(of: taken.correlationID).last?.contains(#""reason":"handed_over""#) == true)
            #expect(outcome(try await new.claim(taken, bench.plan())) == "exhausted 3")
            #expect(try await old.renew([claim.delivery]).lost == [claim.delivery])
        }
    }

    @Test("a job released before its claim is delivered again unchanged")
    func handedBackUnclaimed() async throws {
        try await withRedis { bench in
            let (old, new) = (bench.consumer("old"), bench.consumer("new"))
            _ = try await bench.submit()
            try await old.release(try await old.receive(upTo: 1))
            let taken = try #require(try await new.takeOver(upTo: 1).first)
            #expect(outcome(try await new.claim(taken, bench.plan())) == "claimed 1")
            #expect(try await bench.events(of: taken.correlationID).last?.contains("handed_over") == false)
        }
    }

    @Test("a job whose request expired or is over is settled: acknowledged and deleted", arguments: [true, false])
    func settled(expired: Bool) async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let request = try await bench.submit()
            let id = request.correlationID
            let delivery = try #require(try await consumer.receive(upTo: 1).first)
            if expired {
                try await bench.redis("DEL", bench.keys.request(id), bench.keys.events(id))
            } else {
                #expect(try await bench.cancel(id, .requested) == .over)
            }
            #expect(outcome(try await consumer.claim(delivery, bench.plan())) == "settled")
            #expect(try await bench.group("pending")?.integer == 0)
            #expect(try await bench.redis("XLEN", bench.keys.jobs(0)).integer == 0)
            if expired { #expect(try await bench.redis("EXISTS", bench.keys.events(id)).integer == 0) }
        }
    }

    // MARK: Leases

    @Test("a renewal distinguishes kept, lost and cancelled jobs, and extends the expiry")
    func renewal() async throws {
        try await withRedis { bench in
            let (consumer, other) = (bench.consumer("a"), bench.consumer("b", lease: .zero))
            let lost = try await bench.claimed(by: consumer)
            let taken = try await other.takeOver(upTo: 1)
            #expect(taken == [lost.delivery])
            let kept = try await bench.claimed(by: consumer)
            let cancelled = try await bench.claimed(by: consumer)
            #expect(try await bench.cancel(cancelled.request.correlationID, .interrupted) == .asked)
            try await bench.redis("PEXPIRE", bench.keys.events(kept.request.correlationID), "50000")
            let report = try await consumer.renew([lost, kept, cancelled].map(\.delivery))
            #expect(report.lost == [lost.delivery])
            #expect(report.cancelled.map(\.0) == [cancelled.delivery])
            #expect(report.cancelled.map(\.1) == [.interrupted])
            let expiry = try await bench.redis("TTL", bench.keys.events(kept.request.correlationID)).integer
            #expect(expiry.map { $0 > 7000 } == true)
        }
    }

    @Test("a renewal does not extend the expiry of what was cancelled before its claim")
    func renewalAfterTheEnd() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let request = try await bench.submit()
            let deliveries = try await consumer.receive(upTo: 1)
            #expect(try await bench.cancel(request.correlationID, .requested) == .over)
            #expect(try await consumer.renew(deliveries).lost.isEmpty)
            for key in [bench.keys.request(request.correlationID), bench.keys.events(request.correlationID)] {
                #expect(try await bench.redis("TTL", key).integer.map { $0 <= 60 } == true)
            }
        }
    }

    @Test("only silent jobs are taken over, a renewed one is not")
    func takeOver() async throws {
        try await withRedis { bench in
            let (alive, silent) = (bench.consumer("alive"), bench.consumer("silent"))
            let reaper = bench.consumer("reaper", lease: .milliseconds(400))
            let claim = try await bench.claimed(by: alive)
            let lost = try await bench.claimed(by: silent)
            var taken = try await reaper.takeOver(upTo: 10)
            #expect(taken.isEmpty)
            // The silent job is the later one: without its renewals the other one would be taken over first.
            let isTaken = try await eventually {
                _ = try await alive.renew([claim.delivery])
                taken += try await reaper.takeOver(upTo: 10)
                return !taken.isEmpty
            }
            #expect(isTaken)
            #expect(taken == [lost.delivery])
            let isAlsoTaken = try await eventually {
                taken += try await reaper.takeOver(upTo: 10)
                return taken.contains(claim.delivery)
            }
            #expect(isAlsoTaken)
        }
    }

    @Test("a renewal does not steal a job back")
    func noStealing() async throws {
        try await withRedis { bench in
            let (old, new) = (bench.consumer("old"), bench.consumer("new", lease: .zero))
            let claim = try await bench.claimed(by: old)
            let taken = try await new.takeOver(upTo: 1)
            #expect(try await old.renew([claim.delivery]).lost == [claim.delivery])
            #expect(try await new.renew(taken).lost.isEmpty)
            try await old.release([claim.delivery])
            #expect(try await new.renew(taken).lost.isEmpty, "nor give away what is another's")
        }
    }

    @Test("an unreadable entry is dead-lettered; an entry of a later version is left in the queue")
    func malformed() async throws {
        try await withRedis { bench in
            let seen = EntryRecorder()
            let consumer = bench.consumer(observer: seen)
            let request = try await bench.submit()
            let jobs = bench.keys.jobs(0)
            try await bench.redis("XADD", jobs, "*", "hello", "world")
            try await bench.redis("XADD", jobs, "*", "v", "1", "id", "nobody")
            try await bench.redis("XADD", jobs, "*", "v", "2", "id", "?", "new", "field")
            let deliveries = try await consumer.receive(upTo: 10)
            #expect(deliveries.map(\.correlationID) == [request.correlationID])
            #expect(seen.malformed.count == 2 && seen.laterVersions == 1)
            #expect(try await bench.redis("XLEN", bench.keys.dead(0)).integer == 2)
            #expect(try await bench.group("pending")?.integer == 2, "the job and the later version's")
            #expect(try await bench.redis("XLEN", jobs).integer == 2)
        }
    }
}
