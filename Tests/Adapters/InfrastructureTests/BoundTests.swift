import Application
import Domain
import EventLoop
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Bounds of what stays in Redis", .tags(.integration))
struct BoundTests {
    @Test("dead letters of jobs and of records are kept up to a number; the oldest are dropped and counted")
    func deadLetters() async throws {
        try await withRedis { bench in
            var retention = RedisBench.retention
            retention.deadLetters = 3
            let dropped = Recorder()
            let store = bench.store(partitions: 1, retention: retention, observer: dropped)
            defer { store.close() }
            let consumer = RedisMessageConsumer(
                store: store,
                consumer: "b",
                terms: .init(lease: .seconds(30), attemptsMax: 1),
            )
            defer { consumer.close() }
            let failure = RequestFailure(kind: .providerFailed, detail: "broken")
            var letters: [String] = []
            for _ in 0..<5 {
                let claim = try await bench.claimed(by: consumer)
                letters.append(claim.request.correlationID.description)
                let end = bench.finished(claim, .failed(failure))
                _ = try await consumer.finish(end, at: .afterLast, letter: .attemptsExhausted)
            }
            let kept = try await bench.redis("XRANGE", bench.keys.dead(0), "-", "+").array ?? []
            #expect(kept.compactMap { $0.array?.last?.fields["id"] } == Array(letters.suffix(3)))
            for _ in 0..<4 { try await bench.redis("XADD", bench.keys.jobs(0), "*", "v", "1", "id", "none") }
            _ = try await consumer.receive(upTo: 9)
            #expect(try await bench.redis("XLEN", bench.keys.dead(0)).integer == 3)

            let queue = RedisRecordQueue(store: store, consumer: "q")
            defer { queue.close() }
            try await bench.redis("XGROUP", "CREATE", bench.keys.finished(0), Keyspace.persisters, "0", "MKSTREAM")
            try await bench.redis("XTRIM", bench.keys.finished(0), "MAXLEN", "0")
            for _ in 0..<5 { try await bench.redis("XADD", bench.keys.finished(0), "*", "v", "1", "kind", "none") }
            _ = try await queue.receive(upTo: 9, waiting: false)
            #expect(try await bench.redis("XLEN", bench.keys.finishedDead(0)).integer == 3)
            #expect(dropped.counts == [1, 1, 1, 1, 1, 1, 1, 1])
        }
    }

    private final class Recorder: RedisStoreObserver {
        private(set) var counts: [Int] = []
        func deadLettersDropped(_ count: Int) { counts.append(count) }
        func callRefused(function: String, error: String) {}
    }

    @Test("above so many records that wait for the archive nothing more is accepted; below, it is again")
    func records() async throws {
        try await withRedis { bench in
            var limits = RedisMessagePublisher.Limits(waiting: 100)
            limits.records = 4
            let publisher = RedisMessagePublisher(store: bench.store, limits: limits)
            for _ in 0..<4 { _ = try await publisher.publish(bench.makeRequest(), in: .new, as: nil) }
            let refused = bench.makeRequest()
            await #expect(throws: PublishFailure.archiveBehind) {
                _ = try await publisher.publish(refused, in: .new, as: nil)
            }
            #expect(try await bench.repository.find(refused.correlationID) == nil)
            let queue = try await bench.recordQueue()
            try await queue.acknowledge(try await queue.receive(upTo: 1, waiting: false))
            _ = try await publisher.publish(refused, in: .new, as: nil)
        }
    }

    @Test(
        "the texts of a turn are cut between two characters, also those that come from the archive; the record is whole"
    )
    func turns() async throws {
        try await withRedis { bench in
            var retention = RedisBench.retention
            retention.turnBytes = 10
            let store = bench.store(partitions: 1, retention: retention)
            defer { store.close() }
            let consumer = RedisMessageConsumer(
                store: store,
                consumer: "b",
                terms: .init(lease: .seconds(30), attemptsMax: 3),
            )
            defer { consumer.close() }
            let claim = try await bench.claimed(by: consumer)
            let answer = String(repeating: "😀", count: 100)
            _ = try await consumer.finish(bench.finished(claim, answer: answer), at: bench.writersPlace(claim))
            let conversations = RedisConversations(store: store)
            let turns = try await conversations.turns(of: claim.request.conversationID).turns
            #expect(turns.map(\.answer) == ["😀😀"])
            #expect(turns.map(\.problem) == ["2x + 3 = 7"])
            let queue = try await bench.recordQueue()
            let records = try await queue.receive(upTo: 9, waiting: false)
            guard case .finished(let record) = records.last?.entry else { throw NeverHappened(what: "a record") }
            #expect(record.answer == answer)
        }
    }

    @Test("a turn whose answer broke off says so, from Redis and from the archive")
    func partialTurns() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let end = bench.finished(claim, .cancelled(.requested), answer: "x =")
            _ = try await consumer.finish(end, at: bench.writersPlace(claim))
            let conversation = claim.request.conversationID
            #expect(try await bench.conversations.turns(of: conversation).turns.map(\.isPartial) == [true])
            try await bench.redis("HDEL", bench.keys.conversation(conversation), "whole")
            let id = bench.makeRequest().correlationID
            let archived = [
                ConversationTurn(correlationID: id, problem: "1", answer: "2", isPartial: true),
                ConversationTurn(correlationID: claim.request.correlationID, problem: "1", answer: "2"),
            ]
            try await bench.conversations.restoreTurns(archived, of: conversation)
            let turns = try await bench.conversations.turns(of: conversation).turns
            #expect(turns.map(\.correlationID) == [id, claim.request.correlationID])
            #expect(turns.map(\.isPartial) == [true, true])
        }
    }

    @Test("an idempotency key of the release before is honoured")
    func formerKeys() async throws {
        try await withRedis { bench in
            let fingerprints = SHA256Fingerprinting()
            let submission = IdempotentSubmission(
                name: fingerprints.fingerprint("key"),
                meaning: fingerprints.fingerprint("1+1"),
            )
            let first = bench.makeRequest()
            try await bench.redis(
                "SET",
                "lemma:{p0}:idempotency:\(submission.name)",
                "\(submission.meaning) 1700000000000 \(first.correlationID) \(first.conversationID)",
            )
            let again = try await bench.publisher().publish(bench.makeRequest(), in: .new, as: submission)
            #expect(again.replayed?.correlationID == first.correlationID)
            #expect(again.replayed?.conversationID == first.conversationID)
            #expect(again.createdAt.milliseconds == 1_700_000_000_000)
            let other = IdempotentSubmission(name: submission.name, meaning: fingerprints.fingerprint("1+2"))
            await #expect(throws: PublishFailure.keyReused) {
                _ = try await bench.publisher().publish(bench.makeRequest(), in: .new, as: other)
            }
        }
    }

    @Test("a replica of the release before finds an idempotency key of this one for a while")
    func laterKeys() async throws {
        try await withRedis { bench in
            let fingerprints = SHA256Fingerprinting()
            let submission = IdempotentSubmission(
                name: fingerprints.fingerprint("key"),
                meaning: fingerprints.fingerprint("1+1"),
            )
            let request = bench.makeRequest()
            let made = try await bench.publisher().publish(request, in: .new, as: submission)
            let key = "lemma:{p0}:idempotency:\(submission.name)"
            let words = [
                "\(submission.meaning)", "\(made.createdAt.milliseconds)", "\(request.correlationID)",
                "\(request.conversationID)",
            ]
            #expect(try await bench.redis("GET", key).string == words.joined(separator: " "))
            let milliseconds = try #require(try await bench.redis("PTTL", key).integer)
            #expect((1...600_000).contains(milliseconds))
        }
    }

    @Test("an interruption that has begun is not refused for the records that it writes")
    func interruptionBehind() async throws {
        try await withRedis { bench in
            let first = try await bench.submit()
            for _ in 0..<150 { _ = try await bench.submit(after: first) }
            var limits = RedisMessagePublisher.Limits(waiting: 1000)
            limits.records = 200
            let publisher = RedisMessagePublisher(store: bench.store, limits: limits)
            let last = bench.makeRequest(in: first.conversationID, onBusy: .interrupt)
            _ = try await publisher.publish(last, in: .named, as: nil)
            #expect(try await bench.record(last.correlationID).status == .queued)
        }
    }

    @Test("an idempotency key expires, and returns the time of submission until then")
    func forgottenKeys() async throws {
        try await withRedis { bench in
            var retention = RedisBench.retention
            retention.submissions = .milliseconds(200)
            let store = bench.store(partitions: 1, retention: retention)
            defer { store.close() }
            let publisher = RedisMessagePublisher(store: store, limits: .init(waiting: 10))
            let fingerprint = SHA256Fingerprinting().fingerprint("key")
            let submission = IdempotentSubmission(name: fingerprint, meaning: fingerprint)
            let first = try await publisher.publish(bench.makeRequest(), in: .new, as: submission)
            let again = try await publisher.publish(bench.makeRequest(), in: .new, as: submission)
            #expect(again.replayed != nil)
            #expect(again.createdAt == first.createdAt)
            #expect(
                try await eventually {
                    (try? await publisher.publish(bench.makeRequest(), in: .new, as: submission).replayed) == .some(nil)
                }
            )
        }
    }

    @Test("a Redis that is full takes nothing new, and empties by itself: what was accepted ends and is kept elsewhere")
    func full() async throws {
        try await withRedis { bench in
            var retention = RedisBench.retention
            retention.afterEnd = .milliseconds(100)
            let store = bench.store(partitions: 1, retention: retention)
            defer { store.close() }
            let consumer = RedisMessageConsumer(
                store: store,
                consumer: "b",
                terms: .init(lease: .seconds(30), attemptsMax: 3),
            )
            defer { consumer.close() }
            let queue = try await bench.recordQueue()
            _ = try await consumer.receive(upTo: 1, within: .milliseconds(1))
            let running = try await bench.claimed(by: consumer)
            let waiting = try await bench.submit()
            let aborted = try await bench.submit()
            let before = try #require(try await bench.redis("INFO", "memory").string.flatMap(Self.used))
            try await bench.redis("CONFIG", "SET", "maxmemory", String(before - 1))
            await #expect(throws: PublishFailure.unavailable) {
                _ = try await bench.publisher().publish(bench.makeRequest(), in: .new, as: nil)
            }
            let text = String(repeating: "x", count: 100_000)
            #expect(try await bench.append("1-1", text, to: running) == 1)
            #expect(try await bench.cancel(aborted.correlationID, .requested) == .over)
            let end = bench.finished(running, answer: text)
            #expect(try await consumer.finish(end, at: bench.writersPlace(running)) == .finished)
            let next = try await bench.claimNext(by: consumer)
            #expect(next.request.correlationID == waiting.correlationID)
            #expect(try await consumer.finish(bench.finished(next), at: bench.writersPlace(next)) == .finished)
            try await queue.acknowledge(try await queue.receive(upTo: 99, waiting: false))
            #expect(
                try await eventually {
                    (try? await bench.publisher().publish(bench.makeRequest(), in: .new, as: nil)) != nil
                }
            )
        }
    }

    private static func used(_ info: String) -> Int? {
        let line = info.split(whereSeparator: \.isNewline).first { $0.hasPrefix("used_memory:") }
        return line.flatMap { Int($0.dropFirst("used_memory:".count)) }
    }
}
