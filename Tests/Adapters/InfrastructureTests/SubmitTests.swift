import Application
import Domain
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Submitting to Redis", .tags(.integration))
struct SubmitTests {
    @Test("job, record and first event are written together, each with its expiry")
    func written() async throws {
        try await withRedis { bench in
            let request = bench.makeRequest(provider: "mock", user: UserID("ada"))
            let publication = try await bench.publisher().publish(request, in: .new, as: nil)
            #expect(publication.position == 1)
            #expect(abs(publication.createdAt.milliseconds - SystemClock().now().milliseconds) < 5000)
            let id = request.correlationID
            let data = #"{"correlationId":"\#(id)","conversationId":"\#(request.conversationID)","position":1}"#
            #expect(try await bench.events(of: id) == ["0-1 queued \(data)"])
            for key in [bench.keys.request(id), bench.keys.events(id)] {
                let expiry = try #require(try await bench.redis("PTTL", key).integer)
                #expect((7_190_000...7_200_000).contains(expiry))
            }
            let record = try await bench.record(id)
            #expect(record.status == .queued && record.attempts == 0)
            #expect(record.request.userID == UserID("ada"))
            #expect(record.request.problem.text == "2x + 3 = 7")
            #expect(record.request.requestedProvider == "mock")
            #expect(record.request.options == request.options)
            #expect(record.request.conversationID == request.conversationID)
            #expect(record.createdAt == publication.createdAt)
        }
    }

    @Test("the queue is first in, first out; positions count it, and at its limit nothing is written")
    func full() async throws {
        try await withRedis { bench in
            let publisher = bench.publisher(waitingMax: 3)
            var requests: [MathRequest] = []
            for position in 1...3 {
                requests.append(bench.makeRequest())
                #expect(try await publisher.publish(requests[position - 1], in: .new, as: nil).position == position)
            }
            let refused = bench.makeRequest()
            await #expect(throws: PublishFailure.queueFull) {
                _ = try await publisher.publish(refused, in: .new, as: nil)
            }
            #expect(try await bench.redis("XLEN", bench.keys.jobs(0)).integer == 3)
            #expect(try await bench.repository.find(refused.correlationID) == nil)
            #expect(try await bench.events(of: refused.correlationID).isEmpty)
            let taken = try await bench.consumer().receive(upTo: 2)
            #expect(taken.map(\.correlationID) == requests.prefix(2).map(\.correlationID))
            #expect(try await publisher.publish(refused, in: .new, as: nil).position == 2)
        }
    }

    @Test("positions and the limit hold while jobs end in another order than they began")
    func anyOrder() async throws {
        try await withRedis { bench in
            let publisher = bench.publisher(waitingMax: 3)
            let consumer = bench.consumer()
            for _ in 0..<3 { _ = try await publisher.publish(bench.makeRequest(), in: .new, as: nil) }
            let deliveries = try await consumer.receive(upTo: 3)
            for _ in 0..<2 { _ = try await publisher.publish(bench.makeRequest(), in: .new, as: nil) }
            // The newest ends first; here Redis itself has no lag any more.
            guard case .claimed(let newest) = try await consumer.claim(deliveries[2], bench.plan()) else {
                Issue.record("not claimed")
                return
            }
            #expect(
                try await consumer.finish(bench.finished(newest), at: .id(EventID(attempt: 1, sequence: 1)))
                    == .finished
            )
            let third = bench.makeRequest()
            #expect(try await publisher.publish(third, in: .new, as: nil).position == 3)
            #expect(try await bench.record(third.correlationID).jobNumber == 6)
            await #expect(throws: PublishFailure.queueFull) {
                _ = try await publisher.publish(bench.makeRequest(), in: .new, as: nil)
            }
        }
    }

    @Test("a Redis at its memory limit accepts no submission, and the client gets an error")
    func outOfMemory() async throws {
        try await withRedis { bench in
            _ = try await bench.submit()
            try await bench.redis("CONFIG", "SET", "maxmemory", "1")
            let refused = bench.makeRequest()
            await #expect(throws: PublishFailure.unavailable) {
                _ = try await bench.publisher().publish(refused, in: .new, as: nil)
            }
            try await bench.redis("CONFIG", "SET", "maxmemory", "0")
            #expect(try await bench.redis("XLEN", bench.keys.jobs(0)).integer == 1)
            #expect(try await bench.repository.find(refused.correlationID) == nil)
        }
    }

    @Test("a repetition is replayed by a Redis that takes no more memory, because it needs no write")
    func replayOutOfMemory() async throws {
        try await withRedis { bench in
            let fingerprints = SHA256Fingerprinting()
            func submission(_ key: String, _ meaning: String) -> IdempotentSubmission {
                IdempotentSubmission(
                    name: fingerprints.fingerprint(key),
                    meaning: fingerprints.fingerprint(meaning),
                )
            }
            let (first, second) = (bench.makeRequest(), bench.makeRequest())
            let publisher = bench.publisher()
            _ = try await publisher.publish(first, in: .new, as: submission("key", "1 + 1"))
            try await bench.redis("CONFIG", "SET", "maxmemory", "1")
            let replay = try await publisher.publish(second, in: .new, as: submission("key", "1 + 1"))
            #expect(replay.replayed?.correlationID == first.correlationID)
            #expect(replay.replayed?.conversationID == first.conversationID)
            await #expect(throws: PublishFailure.keyReused) {
                _ = try await publisher.publish(second, in: .new, as: submission("key", "1 + 2"))
            }
            await #expect(throws: PublishFailure.unavailable) {
                _ = try await publisher.publish(second, in: .new, as: submission("another key", "1 + 1"))
            }
            try await bench.redis("CONFIG", "SET", "maxmemory", "0")
            #expect(try await bench.redis("XLEN", bench.keys.jobs(0)).integer == 1)
        }
    }

    @Test("a flushed Redis gets library, group and stream again")
    func flushed() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            #expect(try await consumer.receive(upTo: 1).isEmpty, "makes the group")
            try await bench.redis("FLUSHALL")
            try await bench.redis("FUNCTION", "FLUSH")
            let request = try await bench.submit()
            #expect(try await consumer.receive(upTo: 1).map(\.correlationID) == [request.correlationID])
        }
    }

    @Test("a repeated submission gives the first request; another meaning under the same name is refused")
    func idempotent() async throws {
        try await withRedis { bench in
            let fingerprints = SHA256Fingerprinting()
            let name = fingerprints.fingerprint("key")
            let submission = IdempotentSubmission(name: name, meaning: fingerprints.fingerprint("1+1"))
            let other = IdempotentSubmission(name: name, meaning: fingerprints.fingerprint("1+2"))
            let (first, second) = (bench.makeRequest(), bench.makeRequest())
            let publisher = bench.publisher(waitingMax: 1)
            #expect(try await publisher.publish(first, in: .new, as: submission).replayed == nil)
            let replay = try await publisher.publish(second, in: .new, as: submission)
            #expect(replay.replayed?.correlationID == first.correlationID, "also when the queue is full by now")
            #expect(replay.replayed?.conversationID == first.conversationID)
            await #expect(throws: PublishFailure.keyReused) {
                _ = try await publisher.publish(second, in: .new, as: other)
            }
            #expect(try await bench.redis("XLEN", bench.keys.jobs(0)).integer == 1)
        }
    }
}
