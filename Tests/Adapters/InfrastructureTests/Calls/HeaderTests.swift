import Application
import Domain
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("The headers of the library functions", .tags(.unit))
struct HeaderTests {
    /// The numbers that a KEYS or ARGV line of a header allows.
    private struct Form {
        var required = 0
        /// Arguments in brackets.
        var optional = 0
        /// Arguments of each element of a list at the end.
        var repeated = 0

        init(_ text: String) {
            var text = text.replacing("SCOPE", with: Array(repeating: "key", count: 11).joined(separator: ", "))
            text = text.replacing(
                "the terms of `stop` (6)",
                with: Array(repeating: "t", count: 6).joined(separator: ", ")
            )
            text = text.replacing(/\([^)]*\)/, with: "")
            if let match = text.firstMatch(of: /\[,([^\]]*)\]/) {
                // The comment on an optional argument may have a comma; only KEYS has two of them.
                optional = match.1.contains("idempotency") ? 2 : 1
                text.removeSubrange(match.range)
            }
            if text == "none" { return }
            let parts = text.split(separator: ", then ", maxSplits: 1).map(String.init)
            let isList = text.hasSuffix("...") || text.contains(/\sper \w+$/)
            let last = parts.count == 2 ? parts[1].split(separator: ", ").count : 0
            let first = parts[0].split(separator: ", ").count
            if parts.count == 2 {
                required = isList ? first : first + last
                repeated = isList ? last : 0
            } else {
                required = isList ? first - 1 : first
                repeated = isList ? 1 : 0
            }
        }

        func allows(_ count: Int) -> Bool {
            [0, optional].contains { optional in
                let rest = count - required - optional
                return repeated == 0 ? rest == 0 : rest >= 0 && rest % repeated == 0
            }
        }
    }

    private static func form(_ tag: String, of function: FunctionLibrary.Function) throws -> Form {
        let lines = FunctionLibrary.current.code.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0.hasPrefix("-- \(function.rawValue)  ") }, "\(function)")
        let header = lines[start...].prefix { $0.hasPrefix("--") }
        let line = try #require(header.firstIndex { $0.hasPrefix("-- \(tag)    ") }, "\(function)")
        let rest = lines[(line + 1)...].prefix { $0.hasPrefix("--         ") }
        let texts = [lines[line].dropFirst(11)] + rest.map { $0.dropFirst(11) }
        return Form(texts.joined(separator: " "))
    }

    @Test("every function is registered, and no other")
    func registered() throws {
        let code = FunctionLibrary.current.code
        let registrations = try #require(code.split(separator: "local function register_all").last)
        let names = registrations.matches(of: /'([a-z_]+)', ([a-z_]+)/).filter { $0.1 == $0.2 }.map { String($0.1) }
        #expect(names.count == Set(names).count)
        #expect(Set(names) == Set(FunctionLibrary.Function.allCases.map(\.rawValue)))
    }

    @Test("every function has a header with its purpose, KEYS, ARGV and returns")
    func complete() throws {
        let code = FunctionLibrary.current.code
        for function in FunctionLibrary.Function.allCases {
            let name = function.rawValue
            let header = try #require(code.split(separator: "\n-- \(name)  ").last?.split(separator: "\nlocal ").first)
            for tag in ["-- KEYS    ", "-- ARGV    ", "-- returns "] { #expect(header.contains(tag), "\(name)") }
        }
    }

    @Test("a call has as many keys and arguments as the header of its function")
    func counts() throws {
        let calls = try SampleCalls().all
        let functions = Set(calls.map { type(of: $0).function })
        // `append` is formatted by the answer writer.
        #expect(functions == Set(FunctionLibrary.Function.allCases).subtracting([.append]))
        for call in calls {
            let function = type(of: call).function
            let (keys, arguments) = (call.keys.count, call.argumentCount)
            #expect(try Self.form("KEYS", of: function).allows(keys), "\(function) with \(keys) keys")
            #expect(try Self.form("ARGV", of: function).allows(arguments), "\(function) with \(arguments) arguments")
        }
    }

    @Test("all keys of a call are in the slot of its partition")
    func slots() throws {
        for call in try SampleCalls().all {
            #expect(call.keys.allSatisfy { $0.hasPrefix("lemma:{p\(call.partition)}:") }, "\(type(of: call).function)")
        }
    }
}

extension FunctionCall {
    fileprivate var argumentCount: Int { arguments.count }
}

/// One call of each function, or two where its form varies.
private struct SampleCalls {
    private let keys = Keyspace(partitions: 4)
    private let retention = RedisBench.retention
    private let identifiers = IdentifierFactory(clock: SystemClock(), random: SecureRandomSource())
    private let request: MathRequest
    private let delivery: JobDelivery
    private let submission: IdempotentSubmission

    init() throws {
        let conversation = identifiers.make(ConversationID.self)
        request = MathRequest(
            correlationID: identifiers.make(in: conversation.bits.lane),
            conversationID: conversation,
            userID: .anonymous,
            problem: MathProblem(stored: "1 + 1"),
            requestedProvider: "mock",
            options: SolveOptions(),
        )
        delivery = JobDelivery(entry: "7-0", correlationID: request.correlationID, requestedProvider: nil)
        let fingerprints = SHA256Fingerprinting()
        submission = IdempotentSubmission(
            name: fingerprints.fingerprint("key"),
            meaning: fingerprints.fingerprint("1 + 1"),
        )
    }

    var all: [any FunctionCall] {
        log + queue + conversations + requests + attempts + records + limits + erasure + operations
    }

    private var id: CorrelationID { request.correlationID }
    private var conversation: ConversationID { request.conversationID }
    private var partition: Int { keys.partition(of: id) }
    private var group: ConsumerGroup { .workers(keys) }
    private var name: DeadLetterName { DeadLetterName(partition: partition, entry: "7-0") }

    private var log: [any FunctionCall] { [MarkLostCall(.queued, of: id, .claimed, keys)] }

    private var queue: [any FunctionCall] {
        [
            RenewCall([delivery, delivery], of: "a", in: partition, keys, retention),
            TakeOverCall(in: group, of: partition, to: "a", after: .seconds(1), upTo: 3),
            ReleaseCall([delivery, delivery], of: "a", in: partition, keys),
            RemoveIdleConsumersCall(of: group, in: partition, idleFor: .seconds(1)),
            QueueStateCall(in: partition, keys),
            QueueStatisticsCall(of: partition, keys),
        ]
    }

    private var conversations: [any FunctionCall] {
        let waiting = WaitingRequest("\(conversation) \(id)").map { [RenewWaitingCall($0, keys, retention)] } ?? []
        let turn = ConversationTurn(correlationID: id, problem: "1", answer: "2", isPartial: true)
        return waiting + [
            WaitingPlacesCall(of: [request, request], in: partition, keys),
            ListWaitingCall(in: partition, notRenewedFor: .seconds(2), upTo: 100, keys),
            BeginDeletionCall(of: conversation, by: .anonymous, isArchived: true, keys, retention),
            ReadTurnsCall(of: conversation, keys),
            RestoreTurnsCall([turn, turn], of: conversation, keys, retention),
        ]
    }

    private var requests: [any FunctionCall] {
        let noted = keys.submission(submission.name, beside: conversation)
        func submit(_ noted: SubmissionKeys?) -> SubmitCall {
            let limits = RedisMessagePublisher.Limits(waiting: 10)
            return SubmitCall(request, in: .new, as: nil, notedBy: noted, limits: limits, keys, retention)
        }
        return [
            CancelCall(request, .requested, keys, retention),
            ReadRequestCall(id, keys),
            ReadStatusesCall(of: [id, id], in: partition, keys),
            submit(nil), submit(noted), submit(noted).afterInterruption,
            ReserveKeyCall(submission, notedBy: keys.submission(submission.name), retention),
            FindSubmissionCall(submission, notedBy: noted),
        ]
    }

    private var attempts: [any FunctionCall] {
        let failure = RequestFailure(kind: .providerFailed, detail: "no")
        let claim = JobClaim(
            delivery: delivery,
            request: request,
            attempt: 1,
            cause: .first,
            queueMilliseconds: 1,
            ageMilliseconds: 1,
        )
        func plan(_ trace: TraceCarrier?) -> AttemptPlan {
            AttemptPlan(provider: "mock", model: "mock-1", restartReason: .workerLost, trace: trace)
        }
        let trace = TraceCarrier(parent: "00-1-2-01", state: nil)
        let finished = FinishedAttempt(
            claim: claim,
            outcome: .completed(.stop),
            answer: "2",
            account: ProviderAccount(
                provider: ProviderIdentity(name: "mock", model: "mock-1", promptVersion: "1"),
                usage: .none,
            ),
            firstTokenMilliseconds: 1,
            durationMilliseconds: 2,
        )
        func finish(_ reason: DeadLetterReason?) -> FinishCall {
            FinishCall(finished, at: .afterLast, by: "a", deadLetter: reason, keys, retention)
        }
        return [
            ClaimCall(delivery, plan(nil), by: "a", attemptsMax: 3, keys, retention),
            ClaimCall(delivery, plan(trace), by: "a", attemptsMax: 3, keys, retention),
            finish(nil), finish(.attemptsExhausted),
            ScheduleRetryCall(
                claim,
                after: .seconds(1),
                .providerFailed,
                failure,
                answer: "",
                by: "a",
                attemptsMax: 3,
                keys,
            ),
            EnqueueDueCall(in: partition, upTo: 100, keys),
            DeadLetterJobCall("7-0", in: partition, .malformed, text: "v=1", keys, retention),
            FailUnreadableCall(delivery, failure, detail: "no", keys, retention),
            RedriveCall(name, as: id, in: conversation, keys, retention),
            ListOrphansCall(in: partition, unseenFor: .seconds(30), since: nil, upTo: 100, keys, retention),
            SetJobEntryCall("7-0", of: id, keys),
        ]
    }

    private var records: [any FunctionCall] {
        let entry = ArchiveEntry.submitted(request, createdAt: Timestamp(milliseconds: 1))
        let record = QueuedRecord(partition: partition, name: "7-0", entry: entry)
        return [
            AcknowledgeRecordsCall([record, record], in: partition, keys, retention),
            DeadLetterRecordCall("7-0", in: partition, .refused, detail: "no", keys, retention),
            RedriveRecordCall(name, keys),
            RecordBacklogCall(in: partition, keys),
        ]
    }

    private var limits: [any FunctionCall] {
        let counters = keys.counters(of: submission.name)
        let rate = CountedLimit(name: "user", counter: counters.rate("a"), rule: .rate(.perMinute(60)))
        let active = CountedLimit(name: "key", counter: counters.active("b"), rule: .active(4))
        let tokens = CountedLimit(name: "key", counter: counters.tokens("b"), rule: .tokens(1000))
        let settlement = SettleTokensCall.Settlement(counter: tokens.counter, request: id, tokensUsed: 7)
        let request = id.description
        return [
            ChargeLimitsCall([rate], in: counters.partition, request: request, tokens: 0),
            ChargeLimitsCall([rate, active, tokens], in: counters.partition, request: request, tokens: 7),
            SettleTokensCall([settlement, settlement], in: counters.partition),
        ]
    }

    private var erasure: [any FunctionCall] {
        let account = identifiers.make(AccountID.self)
        return [
            EraseConversationCall(conversation, of: .anonymous, requests: [], keys, retention),
            EraseConversationCall(conversation, of: .anonymous, requests: [id, id], keys, retention),
            ListLettersCall(naming: account, in: keys.dead(partition), of: partition, after: nil, upTo: 100),
        ]
    }

    private var operations: [any FunctionCall] {
        [
            RenewPresenceCall(
                of: "a",
                for: [id, id],
                in: partition,
                presence: .seconds(5),
                grace: .seconds(10),
                timeToLive: .seconds(60),
                keys,
            ),
            RemovePresenceCall(of: "a", from: id, grace: .seconds(10), keys),
            ListAbandonedCall(in: partition, upTo: 100, keys),
            CancelAbandonedCall(id, of: conversation, keys, retention),
            EvictionPolicyCall(in: partition, keys),
            MissingPermissionsCall(in: partition, keys),
            MistypedKeysCall(in: partition, keys),
        ]
    }
}
