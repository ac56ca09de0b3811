import Application
import Domain
internal import EventLoop
internal import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Postponing, dead-lettering and redriving on Redis", .tags(.integration))
struct PostponeTests {
    /// The answer so far.
    private static let text = "x = "
    private static let failure = RequestFailure(kind: .providerTimedOut, detail: "silent")

    /// Waits until the one postponed job is due and receives it.
    private func redelivered(_ bench: RedisBench, to consumer: RedisMessageConsumer) async throws -> JobDelivery {
        let became = try await eventually { try await consumer.enqueueDue(upTo: 10) == 1 }
        #expect(became)
        return try #require(try await consumer.receive(upTo: 1).first)
    }

    @Test("a postponed request is released by its worker and enqueued again with its reason")
    func comesBack() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let pause = Duration.milliseconds(50)
            let result = try await consumer.scheduleRetry(
                claim,
                for: pause,
                .providerFailed,
                Self.failure,
                answer: Self.text
            )
            #expect(result == .scheduled)
            #expect(try await bench.repository.find(claim.request.correlationID)?.status == .running)
            #expect(try await consumer.takeOver(upTo: 10).isEmpty)
            let again = try await consumer.scheduleRetry(
                claim,
                for: pause,
                .providerFailed,
                Self.failure,
                answer: Self.text
            )
            #expect(again == .superseded, "a repeated call changes nothing")

            let other = bench.consumer("b")
            let delivery = try await redelivered(bench, to: other)
            guard case .claimed(let next) = try await other.claim(delivery, bench.plan(.workerLost)) else {
                throw NeverHappened(what: "a second attempt")
            }
            #expect(next.attempt == 2 && next.lastFailure == Self.failure)
            let marker = #"2-0 restarted {"attempt":2,"reason":"provider_failed","provider":"mock","model":"mock-1"}"#
            #expect(try await bench.events(of: claim.request.correlationID).last == marker)
            #expect(try await other.enqueueDue(upTo: 10) == 0, "once")
        }
    }

    @Test("a request that waits between two attempts is cancelled at once")
    func cancelledMeanwhile() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let id = claim.request.correlationID
            _ = try await consumer.scheduleRetry(
                claim,
                for: .milliseconds(1),
                .providerFailed,
                Self.failure,
                answer: Self.text
            )
            #expect(try await bench.cancel(id, .requested) == .over)
            let events = try await bench.events(of: id)
            #expect(
                events.last
                    == #"1-1 cancelled {"reason":"requested","attempts":1,"usage":{"inputTokens":0,"outputTokens":0}}"#
            )
            let delivery = try await redelivered(bench, to: consumer)
            guard case .settled = try await consumer.claim(delivery, bench.plan()) else {
                throw NeverHappened(what: "a job with nothing to do")
            }
        }
    }

    @Test("after the last attempt there is no further one, and the end makes one dead letter")
    func exhausted() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer(attemptsMax: 1)
            let claim = try await bench.claimed(by: consumer)
            let result = try await consumer.scheduleRetry(
                claim,
                for: .milliseconds(1),
                .providerFailed,
                Self.failure,
                answer: Self.text
            )
            #expect(result == .exhausted)
            let last = bench.finished(claim.next(after: Self.failure), .failed(Self.failure))
            let place = FinishPlace.id(EventID(attempt: 2, sequence: 0))
            #expect(try await consumer.finish(last, at: place, letter: .attemptsExhausted) == .finished)
            #expect(
                try await consumer.finish(last, at: place, letter: .attemptsExhausted) == .finished,
                "a repetition changes nothing"
            )

            let letters = RedisDeadLetters(store: bench.store)
            let letter = try #require(try await letters.list(upTo: 10).first)
            #expect(try await letters.list(upTo: 10).count == 1)
            #expect(letter.reason == "attempts_exhausted" && letter.attempts == 1)
            #expect(letter.correlationID == claim.request.correlationID)
            #expect(letter.lastFailure == Self.failure && letter.origin == claim.delivery.entry)
            #expect(DeadLetterName(letter.name.description) == letter.name)
        }
    }

    @Test("an attempt that is handed over for lack of room does not count")
    func uncounted() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer(attemptsMax: 1)
            var claim = try await bench.claimed(by: consumer)
            for attempt in 2...3 as ClosedRange<UInt64> {
                let result = try await consumer.scheduleRetry(
                    claim,
                    for: .zero,
                    .handedOver,
                    Self.failure,
                    answer: ""
                )
                #expect(result == .scheduled)
                let delivery = try await redelivered(bench, to: consumer)
                guard case .claimed(let next) = try await consumer.claim(delivery, bench.plan(.workerLost)) else {
                    throw NeverHappened(what: "attempt \(attempt)")
                }
                #expect(next.attempt == attempt)
                claim = next
            }
            let marker = #"3-0 restarted {"attempt":3,"reason":"handed_over","provider":"mock","model":"mock-1"}"#
            #expect(try await bench.events(of: claim.request.correlationID).last == marker)
            let counted = try await consumer.scheduleRetry(claim, for: .zero, .providerFailed, Self.failure, answer: "")
            #expect(counted == .exhausted)
        }
    }

    @Test("a dead letter is redriven once, as a new request that remembers the old one")
    func redriven() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer(attemptsMax: 1)
            let claim = try await bench.claimed(by: consumer)
            let last = bench.finished(claim.next(after: Self.failure), .failed(Self.failure))
            _ = try await consumer.finish(last, at: .id(EventID(attempt: 2, sequence: 0)), letter: .attemptsExhausted)
            let letters = RedisDeadLetters(store: bench.store)
            let name = try #require(try await letters.list(upTo: 1).first).name
            let identifiers = IdentifierFactory(clock: SystemClock(), random: SecureRandomSource())
            let handler = RedriveDeadLetterHandler(letters: letters, identifiers: identifiers)

            let id = try await handler.handle(RedriveDeadLetter(letter: name))
            let record = try await bench.record(id)
            #expect(record.status == .queued && record.request.problem == claim.request.problem)
            #expect(record.request.conversationID == claim.request.conversationID)
            #expect(record.request.options == claim.request.options)
            #expect(try await consumer.receive(upTo: 10).map(\.correlationID) == [id])
            await #expect(throws: RedriveDeadLetter.Failure.unknown) {
                _ = try await handler.handle(RedriveDeadLetter(letter: name))
            }
            #expect(try await !letters.drop(name))
        }
    }
}
