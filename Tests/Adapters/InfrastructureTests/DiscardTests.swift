import Application
import Domain
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Jobs that Redis cannot go on with", .tags(.integration))
struct DiscardTests {
    private func refusal(_ call: () async throws(QueueFailure) -> Void) async -> String? {
        do {
            try await call()
            return nil
        } catch {
            if case .refused(let detail) = error { return detail }
            return nil
        }
    }

    @Test("an unreadable record is refused by its claim, and discarded becomes a dead letter with one failed event")
    func unreadable() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let request = try await bench.submit()
            try await bench.redis("HDEL", bench.keys.request(request.correlationID), "conversation")
            let delivery = try #require(try await consumer.receive(upTo: 1).first)
            let detail = await refusal { () async throws(QueueFailure) in
                _ = try await consumer.claim(delivery, bench.plan())
            }
            #expect(detail == "the request's record cannot be read")
            for _ in 0..<2 { try await consumer.failUnreadable(delivery, detail: detail ?? "") }
            #expect(try await bench.eventNames(of: request.correlationID).last == "1-1 failed")
            #expect(try await bench.redis("XLEN", bench.keys.jobs(0)).integer == 0)
            let letters = try await bench.redis("XRANGE", bench.keys.dead(0), "-", "+").array ?? []
            #expect(letters.count == 1)
            #expect(letters.first?.array?.last?.fields["reason"] == "unreadable")
            #expect(letters.first?.array?.last?.fields["problem"] == "2x + 3 = 7")
            #expect(try await consumer.takeOver(upTo: 5).isEmpty)
        }
    }

    @Test("the readable part of an unreadable request is archived as failed with its text; the conversation continues")
    func archived() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let next = try await bench.submit(after: claim.request)
            #expect(try await bench.append("1-1", "x =", to: claim) == 1)
            try await consumer.failUnreadable(claim.delivery, detail: "no")
            let queue = try await bench.recordQueue()
            let records = try await queue.receive(upTo: 9, waiting: false)
            guard case .finished(let record) = records.last?.entry else { throw NeverHappened(what: "a record") }
            #expect(record.status == .failed && record.answer == "x =" && record.failure?.kind == .internalError)
            #expect(try await bench.claimNext(by: consumer).request.correlationID == next.correlationID)
        }
    }

    @Test("one broken hash holds up neither the delayed, nor a hand-over, nor the presence of viewers")
    func siblings() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let failure = RequestFailure(kind: .providerFailed, detail: "broken")
            var postponed: [JobClaim] = []
            for _ in 0..<2 {
                let claim = try await bench.claimed(by: consumer)
                _ = try await consumer.scheduleRetry(claim, for: .zero, .providerFailed, failure, answer: "")
                postponed.append(claim)
            }
            let broken = bench.keys.request(postponed[0].request.correlationID)
            try await bench.redis("SET", broken, "something else")
            #expect(try await eventually { try await consumer.enqueueDue(upTo: 9) == 2 })
            #expect(try await bench.redis("XLEN", bench.keys.jobs(0)).integer == 2, "each once")
            #expect(try await bench.redis("ZCARD", bench.keys.delayed(0)).integer == 0)
            let deliveries = try await consumer.receive(upTo: 9)
            try await consumer.release(deliveries)
            #expect(try await bench.consumer("b").takeOver(upTo: 9).count == 2)
            let presence = ViewerPresence(
                store: bench.store,
                watcher: "w",
                grace: .seconds(10),
                timeToLive: .seconds(60),
            )
            let healthy = try await bench.submit()
            presence.begin(postponed[0].request.correlationID)
            presence.begin(healthy.correlationID)
            let watched = bench.keys.watched(0)
            #expect(try await eventually { try await bench.redis("ZCARD", watched).integer == 1 })
        }
    }

    @Test(
        "turns that something else has taken the place of are read from the archive, and no end fails because of them"
    )
    func turns() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let conversation = claim.request.conversationID
            try await bench.redis("SET", bench.keys.turns(conversation), "something else")
            let recalled = try await bench.conversations.turns(of: conversation)
            #expect(recalled.turns.isEmpty && !recalled.isWhole)
            #expect(try await consumer.finish(bench.finished(claim), at: bench.writersPlace(claim)) == .finished)
            #expect(try await bench.record(claim.request.correlationID).status == .completed)
        }
    }

    @Test("records are acknowledged also where the archive's notice cannot be published")
    func keptWithoutChannel() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            _ = try await consumer.finish(bench.finished(claim), at: bench.writersPlace(claim))
            let queue = try await bench.recordQueue()
            let records = try await queue.receive(upTo: 9, waiting: false)
            try await bench.redis("ACL", "SETUSER", "default", "resetchannels")
            try await queue.acknowledge(records)
            #expect(try await bench.redis("XLEN", bench.keys.finished(0)).integer == 0)
        }
    }

    @Test("a key of another type in the place of the request, or of its events", arguments: ["request", "events"])
    func otherType(_ kind: String) async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let request = try await bench.submit()
            let other = try await bench.claimed(by: consumer)
            let id = request.correlationID
            let key = kind == "request" ? bench.keys.request(id) : bench.keys.events(id)
            let delivery = other.delivery.correlationID == id ? other.delivery : nil
            try await bench.redis("SET", key, "something else")
            let target = try #require(delivery)
            let detail = await refusal { () async throws(QueueFailure) in
                _ = try await consumer.claim(target, bench.plan())
            }
            #expect(detail?.contains("WRONGTYPE") == true)
            let healthy = try await bench.claimNext(by: consumer)
            let report = try await consumer.renew([target, healthy.delivery])
            #expect(report.lost.isEmpty, "one broken request costs the others no lease")
            try await consumer.failUnreadable(target, detail: detail ?? "")
            #expect(try await bench.redis("XLEN", bench.keys.jobs(0)).integer == 1)
            #expect(try await bench.redis("XLEN", bench.keys.dead(0)).integer == 1)
        }
    }

    @Test("text whose stream has become something else is refused, and not tried for ever")
    func append() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let writer = bench.writers.writer(for: claim)
            try await bench.redis("SET", bench.keys.events(claim.request.correlationID), "something else")
            writer.append(.token, "x")
            await #expect(throws: AnswerWriteFailure.self) { _ = try await writer.flush() }
        }
    }

    @Test("an end that a release wrote in part is completed, and no second terminal event follows")
    func endedInPart() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let id = claim.request.correlationID
            try await bench.redis("XADD", bench.keys.events(id), "1-1", "e", "failed", "d", "{}")
            #expect(try await consumer.finish(bench.finished(claim), at: .afterLast) == .finished)
            #expect(try await bench.eventNames(of: id) == ["0-1 queued", "1-0 started", "1-1 failed"])
            #expect(try await bench.record(id).status.isTerminal)

            let second = try await bench.claimed(by: consumer)
            try await bench.redis(
                "XADD",
                bench.keys.events(second.request.correlationID),
                "1-1",
                "e",
                "failed",
                "d",
                "{}"
            )
            guard case .cancelled(let rest, let reason) = try await consumer.claim(second.delivery, bench.plan()) else {
                throw NeverHappened(what: "an end to complete")
            }
            let end = bench.finished(rest, .cancelled(reason))
            #expect(try await consumer.finish(end, at: .afterLast) == .finished)
            #expect(try await bench.record(second.request.correlationID).status == .failed, "as its event says")
            #expect(try await bench.eventNames(of: second.request.correlationID).count == 3)
        }
    }

    @Test("a failed push ends no function between two of its writes")
    func noChannelRight() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            try await bench.redis("ACL", "SETUSER", "default", "resetchannels")
            #expect(try await consumer.finish(bench.finished(claim), at: bench.writersPlace(claim)) == .finished)
            #expect(try await bench.record(claim.request.correlationID).status == .completed)
            #expect(try await bench.redis("XLEN", bench.keys.jobs(0)).integer == 0)
        }
    }
}
