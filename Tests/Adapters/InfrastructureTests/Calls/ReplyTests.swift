import Application
import Domain
import Instrumentation
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Replies of the library functions", .tags(.unit))
struct ReplyTests {
    private let keys = Keyspace(partitions: 1)
    private let id = ReplyTests.makeID()
    private let retention = RedisBench.retention

    private static func makeID() -> CorrelationID {
        IdentifierFactory(clock: SystemClock(), random: SecureRandomSource()).make()
    }

    private func text(_ text: String) -> RedisValue { .bytes(Array(text.utf8)) }
    private func list(_ elements: RedisValue...) -> RedisValue { .array(elements) }

    private func isUnexpected<Call: FunctionCall>(_ reply: RedisValue, to call: Call) -> Bool {
        do {
            _ = try call.decode(reply)
            return false
        } catch {
            return true
        }
    }

    @Test("a lease is held, lost or to be cancelled")
    func renew() throws {
        let call = RenewCall([], of: "a", in: 0, keys, retention)
        let reply = list(text("ok"), text("lost"), text("disconnected"), text("a reason of a later release"))
        #expect(try call.decode(reply) == [.held, .lost, .cancelled(.disconnected), .cancelled(.requested)])
        #expect(isUnexpected(.null, to: call))
    }

    @Test("a claim returns its attempt and the request's fields")
    func claim() throws {
        let delivery = JobDelivery(entry: "7-0", correlationID: id, requestedProvider: nil)
        let plan = AttemptPlan(provider: "mock", model: "mock-1", restartReason: .workerLost)
        let call = ClaimCall(delivery, plan, by: "a", attemptsMax: 3, keys, retention)
        func reply(_ word: String, cause: String) -> RedisValue {
            list(
                text(word),
                .integer(2),
                .integer(30),
                list(text("user"), text("u")),
                .integer(-4),
                text(cause),
            )
        }
        guard case .claimed(let attempt) = try call.decode(reply("claimed", cause: "redriven")) else {
            Issue.record("not claimed")
            return
        }
        #expect(attempt.attempt == 2)
        #expect(attempt.cause == .redriven)
        #expect(attempt.queueMilliseconds == 30)
        #expect(attempt.ageMilliseconds == 0, "a clock that was set back")
        #expect(attempt.fields == ["user": "u"])
        guard case .exhausted = try call.decode(reply("exhausted", cause: "first")),
            case .cancelled(let unknown) = try call.decode(reply("cancelled", cause: "of a later release")),
            case .settled = try call.decode(list(text("settled"))),
            case .expired = try call.decode(list(text("expired")))
        else {
            Issue.record("another reply")
            return
        }
        #expect(unknown.cause == .workerLost)
        #expect(isUnexpected(list(text("claimed"), .integer(1)), to: call))
        #expect(isUnexpected(list(text("done")), to: call))
        #expect(isUnexpected(list(), to: call))
    }

    @Test("the end of requests")
    func stop() throws {
        #expect(try StopReply(list(text("ended"), .integer(7))) == .ended(after: .milliseconds(7)))
        let words: [(String, StopReply)] = [
            ("over", .over), ("asked", .asked), ("unknown", .unknown), ("watched", .watched),
        ]
        for (word, expected) in words { #expect(try StopReply(list(text(word))) == expected) }
    }

    @Test("the end of requests, unexpected")
    func unexpectedStop() {
        for reply in [list(text("ended")), list(text("no")), list(), .null] {
            #expect(throws: UnexpectedReply.self) { _ = try StopReply(reply) }
        }
    }

    private var submit: SubmitCall {
        let conversation = ConversationID(bits: id.bits)
        let request = MathRequest(
            correlationID: id,
            conversationID: conversation,
            userID: .anonymous,
            problem: MathProblem(stored: "1"),
            requestedProvider: nil,
            options: SolveOptions(),
        )
        let limits = RedisMessagePublisher.Limits(waiting: 1)
        return SubmitCall(request, in: .new, as: nil, notedBy: nil, limits: limits, keys, retention)
    }

    @Test("a submission is accepted, replayed or rejected")
    func submission() throws {
        let ended = EndedRequests(count: 2, ageSum: .milliseconds(9))
        let accepted = list(text("ok"), .integer(5), .integer(3), .integer(2), .integer(9))
        let createdAt = Timestamp(milliseconds: 5)
        #expect(
            try submit.decode(accepted)
                == .accepted(createdAt: createdAt, position: 3, jobNumber: nil, interrupted: ended)
        )
        let job = list(text("ok"), .integer(5), .integer(3), .integer(2), .integer(9), .integer(12))
        #expect(
            try submit.decode(job) == .accepted(createdAt: createdAt, position: 3, jobNumber: 12, interrupted: ended)
        )
        #expect(try submit.decode(list(text("stopped"), .integer(2), .integer(9))) == .stopped(ended))
        let rejections: [(String, SubmitCall.Reply)] = [
            ("reused", .keyReused), ("full", .queueFull), ("behind", .archiveBehind), ("busy", .conversationBusy),
            ("crowded", .conversationCrowded), ("not_found", .conversationNotFound),
            ("unknown", .conversationUnknown),
        ]
        for (word, reply) in rejections { #expect(try submit.decode(list(text(word))) == reply) }
        for odd in [list(text("ok")), list(text("replay"), .integer(1)), list(), .null, list(text("no"))] {
            #expect(isUnexpected(odd, to: submit))
        }
    }

    @Test("an idempotency key returns the ids as release 1.0 stores them, and as 30 bytes")
    func replay() throws {
        let conversation = ConversationID(bits: id.bits)
        let bytes = id.bits.bytes + conversation.bits.bytes.dropLast(2)
        let former = list(text("replay"), .integer(5), text(id.description), text(conversation.description))
        for reply in [former, list(text("replay"), .integer(5), .bytes(bytes))] {
            guard case .replayed(let earlier) = try submit.decode(reply) else {
                Issue.record("not replayed")
                return
            }
            #expect(earlier.ids.correlationID == id)
            #expect(earlier.ids.conversationID == conversation)
            #expect(earlier.publication.createdAt == Timestamp(milliseconds: 5))
        }
    }

    @Test("an orphan page leaves out what no release has written")
    func orphans() throws {
        let call = ListOrphansCall(in: 0, unseenFor: .seconds(1), since: nil, upTo: 9, keys, retention)
        let reply = list(
            .integer(3),
            .integer(1000),
            text(id.description),
            text("7-0"),
            text("2"),
            text("odd"),
            text(""),
            text("0"),
        )
        let page = try call.decode(reply)
        #expect(page == .init(examined: 3, unseenSince: 1000, orphans: [Orphan(id: id, entry: "7-0", attempts: 2)]))
        #expect(isUnexpected(list(.integer(1)), to: call))
    }

    @Test("the progress of an erasure, and the dead letters that name an account, unreadable ones without ids")
    func erasure() throws {
        let conversation = ConversationID(bits: id.bits)
        let call = EraseConversationCall(conversation, of: .anonymous, requests: [id], keys, retention)
        let progress = try call.decode(list(.integer(1), .integer(2), .integer(30), .integer(1)))
        let ended = EndedRequests(count: 2, ageSum: .milliseconds(30))
        #expect(progress == .init(running: 1, ended: ended, mustRepeat: true))
        #expect(isUnexpected(list(.integer(1), .integer(2), .integer(30)), to: call))

        let account = AccountID(bits: id.bits)
        let letters = ListLettersCall(naming: account, in: keys.dead(0), of: 0, after: "6-0", upTo: 9)
        #expect(letters.arguments == [account.description, "6-0", "9"])
        let names = ["7-0", "a/b", conversation.description, id.description, "8-0", "a", "", "odd"].map { text($0) }
        let page = try letters.decode(.array([text("8-0")] + names))
        let whole = NamingLetter(entry: "7-0", user: UserID("a/b"), conversation: conversation, request: id)
        let odd = NamingLetter(entry: "8-0", user: UserID("a"), conversation: nil, request: nil)
        #expect(page == .init(last: "8-0", letters: [whole, odd]))
        #expect(try letters.decode(list(text(""))) == .init(last: nil, letters: []))
        #expect(isUnexpected(list(), to: letters))
    }

    @Test("abandoned requests come with the number of watched ones and the time")
    func abandoned() throws {
        let call = ListAbandonedCall(in: 0, upTo: 9, keys)
        let page = try call.decode(list(.integer(4), .integer(1000), text(id.description), text("odd")))
        #expect(page == .init(watched: 4, time: 1000, abandoned: [id]))
        #expect(isUnexpected(list(.integer(4)), to: call))
    }

    @Test("levels of the queue")
    func levels() throws {
        let call = QueueStatisticsCall(of: 0, keys)
        let levels = try call.decode(.array((1...7).map { .integer($0) }))
        let expected = QueueLevels(
            waiting: 1,
            claimed: 2,
            delayed: 3,
            dead: 4,
            inConversationQueues: 5,
            oldestWaiting: .milliseconds(6),
            longestSilence: .milliseconds(7),
        )
        #expect(levels == expected)
        #expect(isUnexpected(.array((1...6).map { .integer($0) }), to: call))
        let state = try QueueStateCall(in: 0, keys).decode(list(.integer(8), .integer(2)))
        #expect(state == .init(delivered: 8, waiting: 2))
    }

    @Test("turns carry the mark of an incomplete answer")
    func turns() throws {
        let call = ReadTurnsCall(of: ConversationID(bits: id.bits), keys)
        let elements = [id.description, "1", "2", "\(id) partial", "3", "4"].map { text($0) }
        let turns = try call.decode(list(.integer(1), .array(elements)))
        #expect(turns.isWhole)
        #expect(turns.turns.map(\.isPartial) == [false, true])
        #expect(turns.turns.flatMap(StoredTurn.elements) == elements.compactMap(\.string))
        #expect(isUnexpected(list(.integer(1)), to: call))
    }

    @Test(
        "the results of a redrive",
        arguments: [
            ("redriven", RedriveResult.redriven), ("unknown", .unknown), ("unreadable", .unreadable),
            ("deleted", .conversationDeleted),
        ]
    )
    func redrive(_ word: String, _ expected: RedriveResult) throws {
        #expect(try RedriveResult(text(word)) == expected)
        #expect(throws: UnexpectedReply.self) { _ = try RedriveResult(.null) }
    }

    @Test("the results of the end of an attempt")
    func finish() throws {
        let call = FinishSample.finish(id, keys, retention)
        for (word, result) in [
            ("finished", FinishResult.finished), ("superseded", .superseded), ("history_lost", .historyLost),
        ] {
            #expect(
                try call.decode(list(text(word), .integer(1))) == .init(result: result, droppedDeadLetters: 1)
            )
        }
        #expect(isUnexpected(list(text("finished")), to: call))
        #expect(isUnexpected(list(text("no"), .integer(0)), to: call))
    }

    @Test("a key of another type is named")
    func mistyped() throws {
        let call = MistypedKeysCall(in: 0, keys)
        #expect(try call.decode(list()) == nil)
        let mistake = try call.decode(list(text("lemma:{p0}:jobs"), text("string"), text("stream")))
        #expect(mistake == .init(key: "lemma:{p0}:jobs", type: "string", expected: "stream"))
        #expect(isUnexpected(list(text("a")), to: call))
    }

    @Test("a charge is admitted with its rates, refused, or meets a full set with its members")
    func charge() throws {
        let limit = CountedLimit(name: "user", counter: keys.counters(inLane: 0).rate("a"), rule: .rate(.perMinute(60)))
        let call = ChargeLimitsCall([limit], in: 0, request: "a", tokens: 0)
        #expect(try call.decode(list(text("ok"))) == .charged([]))
        let standing = ChargeLimitsCall.Standing(remaining: 3, resetAfter: .milliseconds(7))
        #expect(try call.decode(list(text("ok"), .integer(3), .integer(7))) == .charged([standing]))
        let refused = list(text("refused"), .integer(0), .integer(7))
        #expect(try call.decode(refused) == .refused(index: 0, retryAfter: .milliseconds(7)))
        let full = list(text("full"), .integer(9), list(.integer(0), text("b"), text("8")))
        let set = ChargeLimitsCall.FullSet(index: 0, members: [ActiveMember(id: "b", admittedAt: 8)])
        #expect(try call.decode(full) == .full(time: 9, [set]))
        for reply in [
            list(text("ok"), .integer(3)), list(text("refused"), .integer(1), .integer(7)), list(text("refused")),
            list(text("full"), .integer(9)), list(text("full"), .integer(9), list(.integer(0), text("b"))),
            list(text("full"), .integer(9), list(.integer(1))), list(text("other")), .null,
        ] { #expect(isUnexpected(reply, to: call)) }
    }

    @Test("a status is known or not, one for each request")
    func statuses() throws {
        let call = ReadStatusesCall(of: [id, id], in: 0, keys)
        #expect(try call.decode(list(text("running"), text(""))) == [.running, nil])
        #expect(isUnexpected(list(text("running")), to: call))
    }
}

private enum FinishSample {
    static func finish(_ id: CorrelationID, _ keys: Keyspace, _ retention: Retention) -> FinishCall {
        let request = MathRequest(
            correlationID: id,
            conversationID: ConversationID(bits: id.bits),
            userID: .anonymous,
            problem: MathProblem(stored: "1"),
            requestedProvider: nil,
            options: SolveOptions(),
        )
        let claim = JobClaim(
            delivery: JobDelivery(entry: "7-0", correlationID: id, requestedProvider: nil),
            request: request,
            attempt: 1,
            cause: .first,
            queueMilliseconds: 1,
            ageMilliseconds: 1,
        )
        let attempt = FinishedAttempt(
            claim: claim,
            outcome: .completed(.stop),
            answer: "",
            account: ProviderAccount(
                provider: ProviderIdentity(name: "mock", model: "mock-1", promptVersion: "1"),
                usage: .none,
            ),
            firstTokenMilliseconds: nil,
            durationMilliseconds: 1,
        )
        return FinishCall(attempt, at: .afterLast, by: "a", deadLetter: nil, keys, retention)
    }
}
