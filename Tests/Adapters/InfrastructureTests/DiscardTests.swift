import Application
import Domain
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Jobs that Redis cannot go on with")
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
            for _ in 0..<2 { try await consumer.discard(delivery, detail: detail ?? "") }
            #expect(try await bench.eventNames(of: request.correlationID).last == "1-1 failed")
            #expect(try await bench.redis("XLEN", bench.keys.jobs(0)).integer == 0)
            let letters = try await bench.redis("XRANGE", bench.keys.dead(0), "-", "+").array ?? []
            #expect(letters.count == 1)
            #expect(letters.first?.array?.last?.fields["reason"] == "unreadable")
            #expect(letters.first?.array?.last?.fields["problem"] == "2x + 3 = 7")
            #expect(try await consumer.takeOver(upTo: 5).isEmpty)
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
            try await consumer.discard(target, detail: detail ?? "")
            #expect(try await bench.redis("XLEN", bench.keys.jobs(0)).integer == 1)
            #expect(try await bench.redis("XLEN", bench.keys.dead(0)).integer == 1)
        }
    }

    @Test("text whose stream has become something else is refused, and not tried for ever")
    func append() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let writer = bench.answers.writer(for: claim)
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
            guard case .settled = try await consumer.claim(second.delivery, bench.plan()) else {
                throw NeverHappened(what: "nothing left to do")
            }
            #expect(try await bench.record(second.request.correlationID).status == .failed)
        }
    }

    @Test("a failed push ends no function between two of its writes")
    func noChannelRight() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            try await bench.redis("ACL", "SETUSER", "default", "resetchannels")
            #expect(try await consumer.finish(bench.finished(claim), at: .afterLast) == .finished)
            #expect(try await bench.record(claim.request.correlationID).status == .completed)
            #expect(try await bench.redis("XLEN", bench.keys.jobs(0)).integer == 0)
        }
    }
}
