import Application
import Domain
import EventLoop
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Appending, finishing and cancelling on Redis", .tags(.integration))
struct FinishTests {
    @Test("an append publishes exactly what it stored, and what is refused is not published")
    func published() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let request = try await bench.submit()
            let id = request.correlationID
            let recorder = ChannelRecorder()
            let subscriber = RedisSubscriber(bench.configuration, on: bench.loop, delegate: recorder)
            defer { subscriber.close() }
            try await subscriber.subscribe(to: bench.keys.live(id), deadline: .seconds(5))
            let delivery = try #require(try await consumer.receive(upTo: 1).first)
            guard case .claimed(let claim) = try await consumer.claim(delivery, bench.plan()) else { return }
            #expect(try await bench.append("1-1", "a \"b\" \n \u{0} é 😀", to: claim) == 1)
            await #expect(throws: (any Error).self) { _ = try await bench.append("1-1", "again", to: claim) }
            await #expect(throws: (any Error).self) { _ = try await bench.append("0-9", "late", to: claim) }
            #expect(
                try await consumer.finish(bench.finished(claim), at: .id(EventID(attempt: 1, sequence: 2))) == .finished
            )
            try await eventually("four messages", on: bench.loop) { recorder.messages.count >= 3 }
            #expect(try await bench.events(of: id).dropFirst() == recorder.messages[...])
            #expect(recorder.messages.count == 3)
        }
    }

    @Test("an append does not bring a stream back that is gone")
    func noResurrection() async throws {
        try await withRedis { bench in
            let claim = try await bench.claimed(by: bench.consumer())
            let key = bench.keys.events(claim.request.correlationID)
            try await bench.redis("DEL", key)
            #expect(try await bench.append("1-1", "a", to: claim) == 0)
            #expect(try await bench.redis("EXISTS", key).integer == 0)
        }
    }

    @Test("the end is event, status, record, expiry and acknowledgement together; the same call again says the same")
    func finish() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let id = claim.request.correlationID
            let end = bench.finished(claim)
            for _ in 0..<2 {
                #expect(try await consumer.finish(end, at: .id(EventID(attempt: 1, sequence: 1))) == .finished)
            }
            #expect(try await bench.eventNames(of: id) == ["0-1 queued", "1-0 started", "1-1 completed"])
            let record = try await bench.record(id)
            #expect(record.status == .completed && record.finishReason == .stop && record.finishedAt != nil)
            #expect(record.usage == end.account.usage)
            #expect(record.provider == "mock" && record.model == "mock-1")
            let prompt = try await bench.redis("HGET", bench.keys.request(id), "promptVersion")
            #expect(prompt.string == "prompt-1")
            for key in [bench.keys.request(id), bench.keys.events(id)] {
                let expiry = try #require(try await bench.redis("TTL", key).integer)
                #expect((50...60).contains(expiry))
            }
            #expect(try await bench.group("pending")?.integer == 0)
            #expect(try await bench.redis("XLEN", bench.keys.jobs(0)).integer == 0)
            #expect(try await bench.group("lag")?.integer == 0)
        }
    }

    @Test("an end that does not follow the last event is refused: history was lost or a newer attempt runs")
    func place() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            #expect(try await bench.append("1-1", "a", to: claim) == 1)
            let end = bench.finished(claim)
            #expect(try await consumer.finish(end, at: .id(EventID(attempt: 1, sequence: 3))) == .historyLost)
            let record = try await bench.record(claim.request.correlationID)
            #expect(record.status == .running)
            #expect(Set(record.lost) == [EventID(attempt: 1, sequence: 2)], "as far as this attempt had come")
            guard case .claimed(let newer) = try await consumer.claim(claim.delivery, bench.plan()) else { return }
            #expect(try await consumer.finish(end, at: .id(EventID(attempt: 1, sequence: 2))) == .superseded)
            #expect(
                try await consumer.finish(bench.finished(newer), at: .id(EventID(attempt: 2, sequence: 1))) == .finished
            )
            #expect(try await consumer.finish(end, at: .afterLast) == .superseded)
        }
    }

    @Test("a failure at a marker's place that a newer attempt has written is superseded")
    func failTooLate() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let failure = RequestFailure(kind: .attemptsExhausted, detail: "No more.")
            let end = bench.finished(claim, .failed(failure))
            #expect(try await consumer.finish(end, at: .id(EventID(attempt: 1, sequence: 0))) == .superseded)
        }
    }

    @Test("fifty callers that end a request at once write one terminal event", arguments: [1, 2, 3])
    func race(round: Int) async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let id = claim.request.correlationID
            var results: [FinishResult] = []
            var cancels: [CancelResult] = []
            for number in 0..<50 {
                let outcome: AnswerOutcome = number % 2 == 0 ? .completed(.stop) : .cancelled(.requested)
                // Each as a worker of its own, so that none is the repetition of another.
                let worker = bench.consumer("worker \(number)")
                bench.loop.spawn {
                    if let result = try? await worker.finish(bench.finished(claim, outcome), at: .afterLast) {
                        results.append(result)
                    }
                }
                bench.loop.spawn {
                    if let result = try? await bench.cancel(id, .requested) { cancels.append(result) }
                }
            }
            try await eventually("all answers", on: bench.loop) { results.count == 50 && cancels.count == 50 }
            #expect(results.count { $0 == .finished } == 1)
            #expect(!cancels.contains(.unknown))
            let ends = try await bench.eventNames(of: id).filter { $0.hasPrefix("1-1") || $0.hasPrefix("1-2") }
            #expect(ends.count == 1)
            #expect(try await bench.record(id).status.isTerminal)
        }
    }

    // MARK: Cancelling

    @Test("a waiting request is over at once; its job stays in the queue until a worker settles it")
    func cancelQueued() async throws {
        try await withRedis { bench in
            let request = try await bench.submit()
            let id = request.correlationID
            #expect(try await bench.cancel(id, .disconnected) == .over)
            #expect(try await bench.cancel(id, .requested) == .over)
            let usage = #""usage":{"inputTokens":0,"outputTokens":0}"#
            #expect(
                try await bench.events(of: id).last
                    == #"0-2 cancelled {"reason":"disconnected","attempts":0,\#(usage)}"#
            )
            #expect(try await bench.record(id).status == .cancelled)
            #expect(try await bench.group("lag")?.integer == 1)
        }
    }

    @Test("a running request's worker is asked by message and by a flag that a claim and a renewal see")
    func cancelRunning() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let id = claim.request.correlationID
            var heard: [(CorrelationID, CancelReason)] = []
            let control = RedisControlChannel(store: bench.store) {
                heard.append(($0, $1))
            }
            defer { control.close() }
            var deadline = 1000
            while try await bench.redis("PUBSUB", "SHARDNUMSUB", bench.keys.control(0)).array?.last?.integer != 1 {
                deadline -= 1
                try #require(deadline > 0)
            }
            #expect(try await bench.cancel(id, .requested) == .asked)
            #expect(try await bench.cancel(id, .interrupted) == .asked, "the first reason stays")
            try await eventually("the message", on: bench.loop) { heard.count == 2 }
            #expect(heard[0].0 == id && heard[0].1 == .requested)
            guard case .cancelled(let again, let reason) = try await consumer.claim(claim.delivery, bench.plan()) else {
                Issue.record("a claim must see the flag")
                return
            }
            #expect(reason == .requested && again.attempt == 1)
            #expect(try await bench.append("1-1", "a", to: claim) == 1)
            #expect(try await consumer.finish(bench.finished(again, .cancelled(reason)), at: .afterLast) == .finished)
            #expect(try await bench.eventNames(of: id).last == "1-2 cancelled")
        }
    }

    @Test("a request that is over or unknown is not cancelled")
    func cancelLate() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            _ = try await consumer.finish(bench.finished(claim), at: .afterLast)
            #expect(try await bench.cancel(claim.request.correlationID, .requested) == .over)
            #expect(try await bench.record(claim.request.correlationID).status == .completed)
            #expect(try await bench.cancel(bench.makeRequest().correlationID, .requested) == .unknown)
        }
    }

    @Test("the answer is the newest attempt's text")
    func answer() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let id = claim.request.correlationID
            #expect(try await bench.repository.answer(of: id) == "")
            for number in 1...1203 { _ = try await bench.append("1-\(number)", "\(number),", to: claim) }
            let whole = (1...1203).map { "\($0)," }.joined()
            #expect(try await bench.repository.answer(of: id) == whole)
            _ = try await consumer.claim(claim.delivery, bench.plan())
            #expect(try await bench.repository.answer(of: id) == "")
            #expect(try await bench.repository.lastEvent(of: id)?.description == "2-0")
            try await bench.redis("DEL", bench.keys.events(id))
            #expect(try await bench.repository.answer(of: id) == nil)
            #expect(try await bench.repository.lastEvent(of: id) == nil)
        }
    }

    @Test("the answer of a request that ran out of attempts is the last attempt's text")
    func answerOfExhausted() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer(attemptsMax: 1)
            let claim = try await bench.claimed(by: consumer)
            _ = try await bench.append("1-1", "x = ", to: claim)
            guard case .exhausted(let last) = try await consumer.claim(claim.delivery, bench.plan()) else {
                throw NeverHappened(what: "the end of the attempts")
            }
            let failure = RequestFailure(kind: .attemptsExhausted, detail: "Every worker was lost.")
            let place = FinishPlace.id(EventID(attempt: 2, sequence: 0))
            #expect(try await consumer.finish(bench.finished(last, .failed(failure)), at: place) == .finished)
            #expect(try await bench.repository.answer(of: claim.request.correlationID) == "x = ")
        }
    }
}
