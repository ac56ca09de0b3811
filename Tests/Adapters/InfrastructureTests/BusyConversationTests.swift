import Application
import Domain
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("A conversation that is busy, on Redis", .tags(.integration))
struct BusyConversationTests {
    /// The requests of the jobs in the queue, in its order.
    private func jobs(_ bench: RedisBench) async throws -> [CorrelationID] {
        let entries = try await bench.redis("XRANGE", bench.keys.jobs(0), "-", "+").array ?? []
        return entries.compactMap { $0.array?.last?.fields["id"].flatMap { CorrelationID($0) } }
    }

    private func waiting(_ bench: RedisBench) async throws -> Int? {
        try await bench.redis("ZCARD", bench.keys.waiting(0)).integer
    }

    private func finish(_ claim: JobClaim, _ consumer: RedisMessageConsumer, _ bench: RedisBench) async throws {
        #expect(try await consumer.finish(bench.finished(claim), at: bench.writersPlace(claim)) == .finished)
    }

    @Test("a second and a third request wait for the one before and run in order, each when that has ended")
    func enqueue() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await bench.submit()
            let second = bench.makeRequest(in: first.conversationID)
            let third = bench.makeRequest(in: first.conversationID)
            #expect(try await bench.publisher().publish(second, in: .named, as: nil).position == 2)
            #expect(try await bench.publisher().publish(third, in: .named, as: nil).position == 3)
            #expect(try await jobs(bench) == [first.correlationID])
            #expect(try await bench.record(second.correlationID).jobNumber == nil)
            #expect(try await bench.record(second.correlationID).status == .queued)
            for request in [first, second, third] {
                let claim = try await bench.claimNext(by: consumer)
                #expect(claim.request.correlationID == request.correlationID)
                #expect(try await consumer.receive(upTo: 5).isEmpty, "one at a time")
                try await finish(claim, consumer, bench)
            }
            #expect(try await bench.record(third.correlationID).jobNumber == 3)
            #expect(try await waiting(bench) == 0)
            #expect(try await jobs(bench).isEmpty)
            let later = try await bench.submit(after: first)
            #expect(try await jobs(bench) == [later.correlationID], "the conversation is free again")
        }
    }

    @Test("a request that does not want to wait is refused, and nothing is written")
    func reject() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await bench.submit()
            let refused = bench.makeRequest(in: first.conversationID, onBusy: .reject)
            await #expect(throws: PublishFailure.conversationBusy) {
                _ = try await bench.publisher().publish(refused, in: .named, as: nil)
            }
            #expect(try await bench.repository.find(refused.correlationID) == nil)
            try await finish(try await bench.claimNext(by: consumer), consumer, bench)
            #expect(try await bench.publisher().publish(refused, in: .named, as: nil).position == 1)
        }
    }

    @Test("an interruption ends the waiting requests, cancels the running one through its worker, and is next")
    func interrupt() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await bench.submit()
            let claim = try await bench.claimNext(by: consumer)
            let second = try await bench.submit(after: first)
            let third = try await bench.submit(after: first, onBusy: .interrupt)
            let last = try await bench.events(of: second.correlationID).last
            #expect(last?.hasPrefix(#"0-2 cancelled {"reason":"interrupted","attempts":0"#) == true)
            #expect(try await consumer.receive(upTo: 5).isEmpty, "the first one's worker has not ended it yet")
            let report = try await consumer.renew([claim.delivery])
            #expect(report.cancelled.map(\.1) == [.interrupted])
            let end = bench.finished(claim, .cancelled(.interrupted), answer: "x")
            #expect(try await consumer.finish(end, at: bench.writersPlace(claim)) == .finished)
            let next = try await bench.claimNext(by: consumer)
            #expect(next.request.correlationID == third.correlationID)
        }
    }

    @Test("one that has not begun is ended at once, and the interrupting one takes its place")
    func interruptQueued() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await bench.submit()
            let second = try await bench.submit(after: first, onBusy: .interrupt)
            #expect(try await bench.record(first.correlationID).status == .cancelled)
            let deliveries = try await consumer.receive(upTo: 5)
            #expect(deliveries.map(\.correlationID) == [first.correlationID, second.correlationID])
            guard case .settled = try await consumer.claim(deliveries[0], bench.plan()) else {
                throw NeverHappened(what: "a job with nothing to do")
            }
            guard case .claimed = try await consumer.claim(deliveries[1], bench.plan()) else {
                throw NeverHappened(what: "a claim")
            }
        }
    }

    @Test("a waiting request can be aborted, and the ones behind it move up")
    func cancelWaiting() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await bench.submit()
            let second = try await bench.submit(after: first)
            let third = try await bench.submit(after: first)
            #expect(try await bench.cancel(second.correlationID, .requested) == .over)
            #expect(try await waiting(bench) == 1)
            try await finish(try await bench.claimNext(by: consumer), consumer, bench)
            #expect(try await bench.claimNext(by: consumer).request.correlationID == third.correlationID)
        }
    }

    @Test("the next request begins after any end of the one before: aborted, exhausted, between two attempts")
    func everyEnd() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer(attemptsMax: 1)
            let first = try await bench.submit()
            let second = try await bench.submit(after: first)
            let third = try await bench.submit(after: first)
            #expect(try await bench.cancel(first.correlationID, .requested) == .over)
            #expect(try await jobs(bench) == [first.correlationID, second.correlationID])
            _ = try await consumer.receive(upTo: 1)
            let claim = try await bench.claimNext(by: consumer)
            let failure = RequestFailure(kind: .providerFailed, detail: "broken")
            let end = bench.finished(claim.next(after: failure), .failed(failure))
            let place = FinishPlace.id(EventID(attempt: 2, sequence: 0))
            #expect(try await consumer.finish(end, at: place, letter: .attemptsExhausted) == .finished)

            let patient = bench.consumer("b")
            let last = try await bench.claimNext(by: patient)
            #expect(last.request.correlationID == third.correlationID)
            let fourth = try await bench.submit(after: first)
            _ = try await patient.scheduleRetry(last, for: .seconds(60), .providerFailed, failure, answer: "partial")
            #expect(try await jobs(bench) == [first.correlationID], "a pause between two attempts is no end")
            #expect(try await bench.cancel(third.correlationID, .requested) == .over)
            #expect(try await jobs(bench).last == fourth.correlationID)
        }
    }

    @Test("waiting requests count towards the limit of the queue")
    func limit() async throws {
        try await withRedis { bench in
            let publisher = bench.publisher(waitingMax: 2)
            let consumer = bench.consumer()
            let first = try await bench.submit()
            _ = try await bench.claimNext(by: consumer)
            for _ in 0..<2 {
                _ = try await publisher.publish(bench.makeRequest(in: first.conversationID), in: .named, as: nil)
            }
            await #expect(throws: PublishFailure.queueFull) {
                _ = try await publisher.publish(bench.makeRequest(), in: .new, as: nil)
            }
        }
    }

    @Test(
        "the conversation queue continues when its active request, its events or the queue are lost",
        arguments: 0..<4
    )
    func sweep(loss: Int) async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await bench.submit()
            _ = try await bench.claimNext(by: consumer)
            let second = try await bench.submit(after: first)
            let sweep = ConversationQueueSweep(store: bench.store)
            await sweep.sweep(dueAfter: .zero)
            #expect(try await consumer.receive(upTo: 1).isEmpty, "nothing is wrong yet")
            let keys = bench.keys
            switch loss {
            case 0: try await bench.redis("DEL", keys.request(first.correlationID), keys.events(first.correlationID))
            case 1: try await bench.redis("DEL", keys.events(first.correlationID))
            case 2: try await bench.redis("DEL", keys.conversation(first.conversationID))
            case _:
                try await bench.redis("DEL", keys.scope(of: first.conversationID)[4])
                try await bench.redis("DEL", keys.request(first.correlationID))
            }
            await sweep.sweep(dueAfter: .zero)
            #expect(try await bench.claimNext(by: consumer).request.correlationID == second.correlationID)
            #expect(try await waiting(bench) == 0)
        }
    }

    @Test("a waiting request that expired is removed; a new request does not wait for an expired one")
    func expired() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await bench.submit()
            _ = try await bench.claimNext(by: consumer)
            let second = try await bench.submit(after: first)
            try await bench.redis("DEL", bench.keys.request(second.correlationID))
            await ConversationQueueSweep(store: bench.store).sweep(dueAfter: .zero)
            #expect(try await waiting(bench) == 0)
            try await bench.redis("DEL", bench.keys.request(first.correlationID))
            let third = try await bench.submit(after: first)
            #expect(try await bench.claimNext(by: consumer).request.correlationID == third.correlationID)
        }
    }

    @Test("a redriven problem waits like any other, and is refused in a deleted conversation")
    func redriven() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer(attemptsMax: 1)
            let letters = RedisDeadLetters(store: bench.store)
            let first = try await bench.submit()
            let failure = RequestFailure(kind: .providerFailed, detail: "broken")
            for _ in 0..<2 {
                let claim = try await bench.claimNext(by: consumer)
                let end = bench.finished(claim.next(after: failure), .failed(failure))
                let place = FinishPlace.id(EventID(attempt: 2, sequence: 0))
                #expect(try await consumer.finish(end, at: place, letter: .attemptsExhausted) == .finished)
                _ = try await bench.submit(after: first)
            }
            let again = bench.makeRequest(in: first.conversationID)
            let names = try await letters.list(upTo: 2).map(\.name)
            let redriven = try await letters.redrive(names[0], as: again.correlationID)
            #expect(redriven == .redriven)
            #expect(try await bench.record(again.correlationID).jobNumber == nil, "behind the third")
            #expect(try await bench.end(first))
            let refused = try await letters.redrive(names[1], as: bench.makeRequest().correlationID)
            #expect(refused == .conversationDeleted)
            #expect(try await letters.list(upTo: 2).map(\.name) == [names[1]], "an operator's to drop")
        }
    }

    // MARK: Whose it is

    @Test("a conversation is known while something is known of it, and is its user's alone")
    func standing() async throws {
        try await withRedis { bench in
            let publisher = bench.publisher()
            let unknown = bench.makeRequest()
            await #expect(throws: PublishFailure.conversationUnknown) {
                _ = try await publisher.publish(unknown, in: .named, as: nil)
            }
            #expect(try await publisher.publish(unknown, in: .confirmed, as: nil).position == 1)
            try await bench.submit(after: unknown)
            for standing in [ConversationStanding.named, .confirmed] {
                let other = bench.makeRequest(user: UserID("eve"), in: unknown.conversationID)
                await #expect(throws: PublishFailure.conversationNotFound) {
                    _ = try await publisher.publish(other, in: standing, as: nil)
                }
            }
        }
    }

    @Test(
        "a conversation with the maximum of waiting requests refuses one more, but not a redrive by an operator"
    )
    func crowded() async throws {
        try await withRedis { bench in
            var limits = RedisMessagePublisher.Limits(waiting: 1000)
            limits.waitingInConversation = 2
            let publisher = RedisMessagePublisher(store: bench.store, limits: limits)
            let first = try await bench.submit()
            for _ in 0..<2 { _ = try await bench.submit(after: first) }
            let refused = bench.makeRequest(in: first.conversationID)
            await #expect(throws: PublishFailure.conversationCrowded(limit: 2)) {
                _ = try await publisher.publish(refused, in: .named, as: nil)
            }
            #expect(try await bench.repository.find(refused.correlationID) == nil, "nothing was written")
            let interrupting = bench.makeRequest(in: first.conversationID, onBusy: .interrupt)
            #expect(try await publisher.publish(interrupting, in: .named, as: nil).position == 2)
        }
    }

    @Test("a queue of thousands, as an earlier release allowed it, is ended in steps and without a limit")
    func longLine() async throws {
        try await withRedis { bench in
            let first = try await bench.submit()
            let count = 1500
            for _ in 0..<count { _ = try await bench.submit(after: first) }
            let before = try await calls(bench)
            let last = try await bench.submit(after: first, onBusy: .interrupt)
            #expect(try await calls(bench) - before >= count / 100, "a hundred in a call at most")
            #expect(try await waiting(bench) == 0)
            #expect(try await jobs(bench).last == last.correlationID)
            for _ in 0..<count { _ = try await bench.submit(after: first) }
            let then = try await calls(bench)
            #expect(try await bench.end(last))
            #expect(try await calls(bench) - then >= count / 100)
            #expect(try await waiting(bench) == 0)
        }
    }

    /// How many functions Redis has run.
    private func calls(_ bench: RedisBench) async throws -> Int {
        let lines = try await bench.redis("INFO", "commandstats").string?.split(whereSeparator: \.isNewline) ?? []
        let line = try #require(lines.first { $0.hasPrefix("cmdstat_fcall:calls=") })
        return try #require(Int(line.dropFirst("cmdstat_fcall:calls=".count).prefix { $0 != "," }))
    }

    // MARK: Partitions

    @Test("under one key and in one conversation there is one request, whatever partitions they are in")
    func idempotency() async throws {
        try await withRedis { bench in
            let store = bench.store(partitions: 7)
            defer { store.close() }
            let publisher = RedisMessagePublisher(store: store, limits: .init(waiting: 1000))
            let fingerprints = SHA256Fingerprinting()
            for number in 0..<20 {
                let opening = bench.makeRequest()
                _ = try await publisher.publish(opening, in: .new, as: nil)
                let submission = IdempotentSubmission(
                    name: fingerprints.fingerprint("key \(number)"),
                    meaning: fingerprints.fingerprint("in \(number)"),
                )
                var ids: Set<CorrelationID> = []
                for _ in 0..<3 {
                    let request = bench.makeRequest(in: opening.conversationID)
                    let answer = try await publisher.publish(request, in: .named, as: submission)
                    ids.insert(answer.replayed?.correlationID ?? request.correlationID)
                }
                #expect(ids.count == 1)
                let meaning = fingerprints.fingerprint("in another")
                let reused = IdempotentSubmission(name: submission.name, meaning: meaning)
                let other = bench.makeRequest()
                _ = try await publisher.publish(other, in: .new, as: nil)
                await #expect(throws: PublishFailure.keyReused) {
                    let request = bench.makeRequest(in: other.conversationID)
                    _ = try await publisher.publish(request, in: .named, as: reused)
                }
            }
        }
    }
}
