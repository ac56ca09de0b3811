import Application
import Domain
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Records for the archive, on Redis", .tags(.integration))
struct RecordTests {
    private func finished(_ record: QueuedRecord?) throws -> FinishedRequest {
        guard case .finished(let finished) = try #require(record).entry else {
            throw NeverHappened(what: "the record of an end")
        }
        return finished
    }

    @Test("a submission and an end leave a record each, with all there is to keep")
    func complete() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let request = bench.makeRequest(provider: "mock", user: UserID("ada"))
            let publication = try await bench.publisher().publish(request, in: .new, as: nil)
            let claim = try await bench.claimNext(by: consumer)
            let answer = "x = \u{0} \"2\" 😀"
            _ = try await consumer.finish(bench.finished(claim, answer: answer), at: bench.writersPlace(claim))
            let queue = try await bench.recordQueue()
            let records = try await queue.receive(upTo: 10, waiting: true)
            guard case .submitted(let asked, let createdAt) = try #require(records.first).entry else { return }
            #expect(asked.correlationID == request.correlationID && asked.options == request.options)
            #expect(asked.problem == request.problem && asked.userID == UserID("ada"))
            #expect(createdAt == publication.createdAt)
            let end = try finished(records.last)
            #expect(end.request.correlationID == request.correlationID)
            #expect(end.request.conversationID == request.conversationID)
            #expect(end.request.options == request.options && end.request.requestedProvider == "mock")
            #expect(end.status == .completed && end.finishReason == .stop && end.attempts == 1)
            #expect(end.promptVersion == "prompt-1")
            #expect(end.answer == answer && end.provider == "mock" && end.model == "mock-1")
            #expect(end.createdAt == createdAt && end.startedAt != nil && end.finishedAt >= createdAt)
            #expect(end.usage == bench.finished(claim).account.usage)
            let queued = claim.queueMilliseconds
            let timings = AnswerTimings(queueMilliseconds: queued, firstTokenMilliseconds: 1, durationMilliseconds: 2)
            #expect(end.timings == timings)
            #expect(end.failure == nil && end.cancelReason == nil)
            #expect(end.ending == EndingIDs(end: EventID("1-1"), before: EventID("1-0")))
        }
    }

    @Test("every way to end leaves one record with the reason and what there is of the answer")
    func everyEnd() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer(attemptsMax: 1)
            let queue = try await bench.recordQueue()
            func end() async throws -> FinishedRequest {
                let records = try await queue.receive(upTo: 10, waiting: true)
                #expect(records.count == 2)
                return try finished(records.last)
            }
            let failure = RequestFailure(kind: .providerFailed, detail: "broken")

            let queued = try await bench.submit()
            _ = try await bench.cancel(queued.correlationID, .disconnected)
            _ = try await bench.cancel(queued.correlationID, .requested)
            var record = try await end()
            #expect(record.status == .cancelled && record.cancelReason == .disconnected && record.answer == "")
            #expect(record.startedAt == nil && record.attempts == 0)
            #expect(record.ending == EndingIDs(end: EventID("0-2"), before: EventID("0-1")))
            _ = try await consumer.receive(upTo: 1)

            let patient = bench.consumer("b")
            let paused = try await bench.claimed(by: patient)
            _ = try await patient.scheduleRetry(paused, for: .seconds(60), .providerFailed, failure, answer: "x =")
            _ = try await bench.cancel(paused.request.correlationID, .requested)
            record = try await end()
            #expect(record.cancelReason == .requested && record.answer == "x =" && record.attempts == 1)
            #expect(record.ending == EndingIDs(end: EventID("1-1"), before: EventID("1-0")))

            let lost = try await bench.claimed(by: consumer)
            for number in 1...3 { _ = try await bench.append("1-\(number)", "\(number)", to: lost) }
            guard case .exhausted(let last) = try await consumer.claim(lost.delivery, bench.plan()) else {
                throw NeverHappened(what: "the end of the attempts")
            }
            _ = try await bench.append("1-4", "4", to: lost)
            _ = try await consumer.finish(
                bench.finished(last, .failed(failure), answer: nil),
                at: .id(EventID(attempt: 2, sequence: 0)),
                letter: .attemptsExhausted
            )
            record = try await end()
            #expect(record.status == .failed && record.failure == failure)
            #expect(record.answer == "1234", "the text of a lost worker is read from its events, until the end")
            #expect(record.attempts == 1)
            #expect(record.ending == EndingIDs(end: EventID("2-0"), before: EventID("1-4")))

            let cut = try await bench.claimed(by: consumer)
            _ = try await bench.append("1-1", "par", to: cut)
            _ = try await bench.cancel(cut.request.correlationID, .interrupted)
            guard case .cancelled(let again, let reason) = try await consumer.claim(cut.delivery, bench.plan()) else {
                throw NeverHappened(what: "a cancelled claim")
            }
            _ = try await bench.append("1-2", "tial", to: cut)
            let end3 = bench.finished(again, .cancelled(reason), answer: nil)
            for _ in 0..<2 { _ = try await consumer.finish(end3, at: .afterLast) }
            record = try await end()
            #expect(record.status == .cancelled && record.cancelReason == .interrupted && record.answer == "partial")
            #expect(try await queue.backlog().records == 8, "nothing has been acknowledged")
        }
    }

    @Test("an end that was written in part at the next marker's place is completed with the last attempt's text")
    func endedInPart() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let queue = try await bench.recordQueue()
            for isUnreadable in [false, true] {
                let claim = try await bench.claimed(by: consumer)
                _ = try await bench.append("1-1", "x =", to: claim)
                let events = bench.keys.events(claim.request.correlationID)
                try await bench.redis("XADD", events, "2-0", "e", "failed", "d", "{}")
                if isUnreadable {
                    try await consumer.failUnreadable(claim.delivery, detail: "no")
                } else {
                    guard case .cancelled(let rest, let reason) = try await consumer.claim(claim.delivery, bench.plan())
                    else { throw NeverHappened(what: "an end to complete") }
                    let end = bench.finished(rest, .cancelled(reason), answer: nil)
                    #expect(try await consumer.finish(end, at: .afterLast) == .finished)
                }
                let record = try finished(try await queue.receive(upTo: 10, waiting: true).last)
                #expect(record.status == .failed && record.answer == "x =")
            }
        }
    }

    @Test("a new attempt removes the partial answer of the attempt before")
    func partialForgotten() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let failure = RequestFailure(kind: .providerFailed, detail: "broken")
            let claim = try await bench.claimed(by: consumer)
            _ = try await consumer.scheduleRetry(claim, for: .milliseconds(1), .providerFailed, failure, answer: "old")
            let isDue = try await eventually { try await consumer.enqueueDue(upTo: 1) == 1 }
            #expect(isDue)
            let next = try await bench.claimNext(by: consumer)
            #expect(next.attempt == 2)
            let fields = try await bench.redis("HGETALL", bench.keys.request(next.request.correlationID)).fields
            #expect(fields["partial"] == nil)
        }
    }

    @Test("acknowledged records are deleted; others are taken over by another consumer when theirs is silent")
    func acknowledged() async throws {
        try await withRedis { bench in
            let queue = try await bench.recordQueue("a")
            let other = try await bench.recordQueue("b")
            for _ in 0..<250 { _ = try await bench.submit() }
            let records = try await queue.receive(upTo: 500, waiting: true)
            #expect(records.count == 250)
            #expect(try await other.receive(upTo: 10, waiting: true).isEmpty)
            try await queue.acknowledge(records.dropLast(2))
            try await queue.acknowledge(records.dropLast(2))
            #expect(try await queue.backlog().records == 2)
            #expect(try await other.takeOver(upTo: 10).isEmpty, "the other one may still be at it")
            let old = ["XCLAIM", bench.keys.finished(0), Keyspace.persisters, "a", "0"] + records.suffix(2).map(\.name)
            var command = RedisCommand(old[0])
            command.append(contentsOf: old.dropFirst() + ["IDLE", "60000", "JUSTID"])
            _ = try await bench.store.call(command, in: 0)
            let taken = try await other.takeOver(upTo: 10)
            #expect(taken.map(\.name) == records.suffix(2).map(\.name))
            try await other.acknowledge(taken)
            #expect(try await queue.backlog() == .none)
            await other.leave()
            #expect(try await bench.redis("XINFO", "CONSUMERS", bench.keys.finished(0), "persisters").array?.count == 1)
        }
    }

    @Test("an unreadable record and one that the database refuses are dead-lettered with all fields")
    func setAside() async throws {
        try await withRedis { bench in
            let seen = EntryRecorder()
            let queue = try await bench.recordQueue(observer: seen)
            let key = bench.keys.finished(0)
            try await bench.redis("XADD", key, "1-1", "v", "1", "kind", "finished", "id", "nonsense", "answer", "kept")
            try await bench.redis("XADD", key, "1-2", "something", "else")
            try await bench.redis("XADD", key, "1-3", "v", "2", "news", "of tomorrow")
            _ = try await bench.submit()
            let records = try await queue.receive(upTo: 10, waiting: true)
            #expect(seen.malformed == ["1-1", "1-2"] && seen.laterVersions == 1)
            #expect(records.count == 1)
            try await queue.deadLetter(records[0], detail: "duplicate")
            let aside = try await bench.redis("XRANGE", bench.keys.finishedDead(0), "-", "+").array ?? []
            let fields = aside.compactMap { $0.array?.last?.fields }
            #expect(fields.map { $0["reason"] } == ["malformed", "malformed", "refused"])
            #expect(fields[0]["answer"] == "kept" && fields[2]["detail"] == "duplicate")
            #expect(fields[2]["problem"] == "2x + 3 = 7")
            #expect(try await queue.backlog().records == 1, "a later version's record waits for its own")
            #expect(try await bench.redis("XPENDING", key, "persisters").array?.first?.integer == 1)
        }
    }

    @Test("a dead record is returned to the persisters unchanged, once, or dropped")
    func redriven() async throws {
        try await withRedis { bench in
            let queue = try await bench.recordQueue()
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            _ = try await consumer.finish(bench.finished(claim, answer: "x = 2"), at: bench.writersPlace(claim))
            let key = bench.keys.finished(0)
            let written = try await bench.redis("XRANGE", key, "-", "+").array?.compactMap { $0.array?.last }
            for record in try await queue.receive(upTo: 10, waiting: true) {
                try await queue.deadLetter(record, detail: "value refused")
            }
            let letters = RedisDeadRecords(store: bench.store)
            let names = try await letters.list(upTo: 10).map(\.name)
            let listed = try #require(try await letters.list(upTo: 10).last)
            #expect(listed.kind == "finished" && listed.reason == "refused" && listed.detail == "value refused")
            #expect(listed.correlationID == claim.request.correlationID)
            let kept = try #require(try await letters.fields(of: names[1]))
            #expect(kept.prefix(3).map(\.name) == ["reason", "detail", "entry"])
            #expect(kept.contains(DeadLetterField(name: "answer", value: "x = 2")))
            for name in names {
                #expect(try await letters.redrive(name) == .redriven)
                #expect(try await letters.redrive(name) == .unknown)
                #expect(try await letters.fields(of: name) == nil)
            }
            let again = try await bench.redis("XRANGE", key, "-", "+").array?.compactMap { $0.array?.last }
            #expect(again == written)
            #expect(try finished(try await queue.receive(upTo: 10, waiting: true).last).answer == "x = 2")

            let dead = bench.keys.finishedDead(0)
            try await bench.redis("XADD", dead, "9999999999999-1", "no", "record")
            let odd = DeadLetterName(partition: 0, entry: "9999999999999-1")
            #expect(try await letters.redrive(odd) == .unreadable)
            #expect(try await letters.fields(of: odd) != nil)
            #expect(try await letters.drop(odd))
            #expect(try await !letters.drop(odd))
            #expect(try await letters.redrive(DeadLetterName(partition: 7, entry: "1-1")) == .unknown)
        }
    }

    @Test("a record that no release can read stays a dead record when it is redriven")
    func malformed() async throws {
        try await withRedis { bench in
            let queue = try await bench.recordQueue()
            let letters = RedisDeadRecords(store: bench.store)
            try await bench.redis("XADD", bench.keys.finished(0), "*", "v", "1", "kind", "no", "id", "x")
            #expect(try await queue.receive(upTo: 1, waiting: true).isEmpty)
            let name = try #require(try await letters.list(upTo: 1).first).name
            #expect(try await letters.redrive(name) == .unreadable)
            #expect(try await letters.list(upTo: 9).map(\.name) == [name])
            #expect(try await bench.redis("XLEN", bench.keys.finished(0)).integer == 0)
        }
    }

    @Test("a dead record of a later version is returned to the persisters")
    func laterVersion() async throws {
        try await withRedis { bench in
            let letters = RedisDeadRecords(store: bench.store)
            let fields = ["reason", "refused", "detail", "", "entry", "1-1", "v", "2", "kind", "finished"]
            let dead = bench.keys.finishedDead(0)
            let command = ["XADD", dead, "7-0"] + fields
            var add = RedisCommand(command[0])
            add.append(contentsOf: command.dropFirst())
            _ = try await bench.store.call(add, in: 0)
            #expect(try await letters.redrive(DeadLetterName(partition: 0, entry: "7-0")) == .redriven)
            #expect(try await bench.redis("XLEN", bench.keys.finished(0)).integer == 1)
        }
    }

    @Test("a flushed Redis gets stream and group again, and a full one lets records be acknowledged")
    func losses() async throws {
        try await withRedis { bench in
            let queue = try await bench.recordQueue()
            try await bench.redis("FLUSHALL")
            try await bench.redis("FUNCTION", "FLUSH")
            #expect(try await queue.receive(upTo: 1, waiting: true).isEmpty)
            _ = try await bench.submit()
            try await bench.redis("CONFIG", "SET", "maxmemory", "1")
            let records = try await queue.receive(upTo: 1, waiting: true)
            try await queue.acknowledge(records)
            #expect(records.count == 1)
            #expect(try await queue.backlog() == .none)
        }
    }

    // MARK: Turns

    private func ask(
        _ answer: String,
        after request: MathRequest?,
        _ consumer: RedisMessageConsumer,
        _ bench: RedisBench
    ) async throws -> JobClaim {
        if let request { try await bench.submit(after: request) } else { _ = try await bench.submit() }
        let claim = try await bench.claimNext(by: consumer)
        _ = try await consumer.finish(bench.finished(claim, answer: answer), at: bench.writersPlace(claim))
        return claim
    }

    @Test("an answer is a turn of its conversation the moment it is complete; only the first problem opens one")
    func turns() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await ask("one", after: nil, consumer, bench)
            #expect(first.opensConversation)
            let conversation = first.request.conversationID
            for answer in ["two", "", "three"] {
                let claim = try await ask(answer, after: first.request, consumer, bench)
                #expect(!claim.opensConversation)
            }
            let recalled = try await bench.conversations.turns(of: conversation)
            #expect(recalled.isWhole)
            #expect(recalled.turns.map(\.answer) == ["one", "two", "three"], "without an answer it is no turn")
            #expect(recalled.turns[0].problem == "2x + 3 = 7")
            #expect(recalled.turns[0].correlationID == first.request.correlationID)
            for answer in ["four", "five"] { _ = try await ask(answer, after: first.request, consumer, bench) }
            let newest = try await bench.conversations.turns(of: conversation)
            #expect(newest.turns.map(\.answer) == ["two", "three", "four", "five"], "as many as are kept")
        }
    }

    @Test("turns outlive the archive's lag, and then expire with what is known of the conversation")
    func expiry() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let first = try await ask("one", after: nil, consumer, bench)
            _ = try await ask("two", after: first.request, consumer, bench)
            let keys = [bench.keys.conversation, bench.keys.turns].map { $0(first.request.conversationID) }
            func lives(atLeast seconds: Int) async throws -> Bool {
                for key in keys where (try await bench.redis("TTL", key).integer ?? 0) < seconds { return false }
                return true
            }
            let queue = try await bench.recordQueue()
            let records = try await queue.receive(upTo: 10, waiting: true)
            #expect(records.count == 4)
            try await queue.acknowledge(Array(records.prefix(2)))
            try await queue.acknowledge(Array(records.prefix(2)))
            #expect(try await lives(atLeast: 86_000), "one of the two is not kept yet")
            try await queue.acknowledge(records)
            #expect(try await !lives(atLeast: 61))
            #expect(try await lives(atLeast: 50))
            _ = try await bench.submit(after: first.request)
            #expect(try await lives(atLeast: 86_000), "something goes on again")
        }
    }

    @Test("turns from the archive are put before the known ones, each turn once")
    func remember() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let request = bench.makeRequest()
            _ = try await bench.publisher().publish(request, in: .confirmed, as: nil)
            let claim = try await bench.claimNext(by: consumer)
            _ = try await consumer.finish(bench.finished(claim, answer: "new"), at: bench.writersPlace(claim))
            let conversation = request.conversationID
            let known = try await bench.conversations.turns(of: conversation)
            #expect(!known.isWhole && known.turns.map(\.answer) == ["new"])
            let archived = (1...2).map { number in
                ConversationTurn(correlationID: bench.makeRequest().correlationID, problem: "p", answer: "\(number)")
            }
            try await bench.conversations.restoreTurns(archived + known.turns, of: conversation)
            try await bench.conversations.restoreTurns(archived, of: conversation)
            let whole = try await bench.conversations.turns(of: conversation)
            #expect(whole.isWhole && whole.turns == archived + known.turns)
            let unknown = bench.makeRequest().conversationID
            try await bench.conversations.restoreTurns(archived, of: unknown)
            #expect(try await bench.conversations.turns(of: unknown).turns.isEmpty, "nothing without an expiry is left")
        }
    }
}
