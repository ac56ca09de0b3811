import Application
import Domain
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Daily tokens of a user", .tags(.integration))
struct BudgetTests {
    private let budget = SubmissionLimits(tokens: 1000)

    private func submit(
        _ bench: RedisBench,
        _ admission: RedisSubmissionAdmission,
        _ submitter: Submitter,
        tokens: Int
    ) async throws -> MathRequest {
        let request = bench.makeRequest(user: submitter.user)
        let charge = SubmissionCharge(submitter: submitter, request: request.correlationID, tokens: tokens)
        try await bench.publishAdmitted(request, try await admission.admit(charge))
        return request
    }

    @Test("an estimate is reserved at admission, and replaced by the tokens used when the end is archived")
    func settled() async throws {
        try await withRedis { bench in
            let (admission, caller) = (bench.admission(budget), Callers())
            let (consumer, queue) = (bench.consumer(), try await bench.recordQueue())
            _ = try await submit(bench, admission, caller.user, tokens: 700)
            #expect(try await bench.tokenSums() == [700])
            let claim = try await bench.claimNext(by: consumer)
            // 4 tokens of input, 2 of output.
            _ = try await consumer.finish(bench.finished(claim), at: .afterLast)
            try await queue.acknowledge(try await queue.receive(upTo: 9, waiting: false))
            #expect(try await bench.tokenSums() == [6])
        }
    }

    @Test("what is left is reserved where an estimate is larger, and with nothing left the day is over")
    func exhausted() async throws {
        try await withRedis { bench in
            let (admission, caller) = (bench.admission(budget), Callers())
            #expect(await admission.result(caller.user, bench.makeRequest(), tokens: 600).isAdmitted)
            #expect(await admission.result(caller.user, bench.makeRequest(), tokens: 600).isAdmitted)
            #expect(try await bench.tokenSums() == [1000])
            let reached = try #require(await admission.result(caller.user, bench.makeRequest(), tokens: 1).refusal)
            #expect(reached.kind == .tokens && reached.name == "user" && reached.quota == 1000)
            #expect(reached.window == .seconds(86_400))
            let now = SystemClock().now().milliseconds
            let midnight = Duration.milliseconds(UTCDay.milliseconds - now % UTCDay.milliseconds)
            #expect(reached.retryAfter <= midnight + .seconds(60) && reached.retryAfter > midnight - .seconds(60))
            #expect(await admission.result(Callers().user, bench.makeRequest()).isAdmitted)
        }
    }

    @Test("a cancelled request that used nothing is given back whole")
    func cancelled() async throws {
        try await withRedis { bench in
            let (admission, caller) = (bench.admission(budget), Callers())
            let queue = try await bench.recordQueue()
            let request = try await submit(bench, admission, caller.user, tokens: 1000)
            #expect(await admission.result(caller.user, bench.makeRequest()).refusal?.kind == .tokens)
            #expect(try await bench.cancel(request.correlationID, .requested) == .over)
            try await queue.acknowledge(try await queue.receive(upTo: 9, waiting: false))
            #expect(try await bench.tokenSums() == [0])
            #expect(await admission.result(caller.user, bench.makeRequest()).isAdmitted)
        }
    }

    @Test("a redelivered record and a dead letter settle once")
    func redelivered() async throws {
        try await withRedis { bench in
            let (admission, caller) = (bench.admission(budget), Callers())
            let (consumer, queue) = (bench.consumer(), try await bench.recordQueue())
            for _ in 0..<2 { _ = try await submit(bench, admission, caller.user, tokens: 400) }
            for _ in 0..<2 {
                let claim = try await bench.claimNext(by: consumer)
                _ = try await consumer.finish(bench.finished(claim), at: .afterLast)
            }
            let records = try await queue.receive(upTo: 9, waiting: false)
            for _ in 0..<3 { try await queue.acknowledge(Array(records.dropLast())) }
            for record in records.suffix(1) {
                for _ in 0..<2 { try await queue.deadLetter(record, detail: "no") }
            }
            #expect(try await bench.tokenSums() == [12])
        }
    }

    @Test("each day has a budget of its own, and what ends later does not count against it")
    func days() async throws {
        try await withRedis { bench in
            let caller = Callers()
            let today = UTCDay(of: SystemClock().now())
            func admission(_ days: Int) -> RedisSubmissionAdmission {
                bench.admission(budget, day: UTCDay(number: today.number + days))
            }
            let queue = try await bench.recordQueue()
            let request = try await submit(bench, admission(0), caller.user, tokens: 900)
            _ = try await submit(bench, admission(1), caller.user, tokens: 300)
            #expect(try await bench.tokenSums() == [300])
            #expect(try await bench.cancel(request.correlationID, .requested) == .over)
            try await queue.acknowledge(try await queue.receive(upTo: 9, waiting: false))
            #expect(try await bench.tokenSums() == [300], "yesterday's reservation is gone")
            // A server whose clock was set back goes on with the later day.
            #expect(await admission(0).result(caller.user, bench.makeRequest(), tokens: 100).isAdmitted)
            #expect(try await bench.tokenSums() == [400])
        }
    }

    @Test("user and key have budgets, an end user has one of its own, and all are settled, in any partition")
    func shared() async throws {
        try await withRedis { bench in
            let store = bench.store(partitions: 4)
            defer { store.close() }
            let admission = RedisSubmissionAdmission(store: store, limits: budget)
            let publisher = RedisMessagePublisher(store: store, limits: .init(waiting: 1000))
            let repository = RedisRequestRepository(store: store)
            let queue = RedisRecordQueue(store: store, consumer: "a")
            defer { queue.close() }
            #expect(try await queue.receive(upTo: 1, waiting: false).isEmpty, "makes the groups")
            for _ in 0..<6 {
                let caller = Callers()
                let key = Callers.key(KeyLimits(tokensPerDay: 500))
                for name in ["a", "b"] {
                    var request = bench.makeRequest(user: UserID(endUser: name, of: caller.account))
                    let submitter = caller.endUser(name, key)
                    let charge = SubmissionCharge(submitter: submitter, request: request.correlationID, tokens: 250)
                    request.reservation = try await admission.admit(charge).reservation
                    _ = try await publisher.publish(request, in: .new, as: nil)
                    #expect(try await repository.cancel(request, .requested) == .over)
                }
                #expect(await admission.result(caller.endUser("c", key), bench.makeRequest()).refusal?.name == "key")
            }
            let sums = Array(repeating: 250, count: 12) + Array(repeating: 500, count: 6)
            #expect(try await bench.tokenSums().sorted() == sums)
            let drained = try await eventually {
                try await queue.acknowledge(try await queue.receive(upTo: 99, waiting: false))
                return try await bench.tokenSums().allSatisfy { $0 == 0 }
            }
            #expect(drained)
        }
    }

    @Test("a counter of another type stops neither the archive nor another user's settlement")
    func mistyped() async throws {
        try await withRedis { bench in
            let admission = bench.admission(budget)
            let queue = try await bench.recordQueue()
            let first = try await submit(bench, admission, Callers().user, tokens: 10)
            let key = try #require(try await bench.redis("KEYS", "lemma:*:tokens:*").array?.first?.string)
            try await bench.redis("SET", key, "x")
            let second = try await submit(bench, admission, Callers().user, tokens: 20)
            for request in [first, second] { _ = try await bench.cancel(request.correlationID, .requested) }
            try await queue.acknowledge(try await queue.receive(upTo: 9, waiting: false))
            #expect(try await queue.backlog().records == 0)
            try await bench.redis("DEL", key)
            #expect(try await bench.tokenSums() == [0])
        }
    }
}
