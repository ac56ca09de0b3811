import Application
import Domain
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Active requests of a user", .tags(.integration))
struct ActiveRequestTests {
    private let two = SubmissionLimits(active: 2)

    /// Admits and publishes.
    private func submit(
        _ bench: RedisBench,
        _ admission: RedisSubmissionAdmission,
        _ submitter: Submitter
    ) async throws -> MathRequest {
        let request = bench.makeRequest(user: submitter.user)
        let charge = SubmissionCharge(submitter: submitter, request: request.correlationID, tokens: 1)
        try await bench.publishAdmitted(request, try await admission.admit(charge))
        return request
    }

    @Test("as many as the limit may wait or run; the end of one, whatever it is, makes room for one")
    func ends() async throws {
        try await withRedis { bench in
            let (admission, caller) = (bench.admission(two), Callers())
            let consumer = bench.consumer()
            let first = try await submit(bench, admission, caller.user)
            let second = try await submit(bench, admission, caller.user)
            let reached = try #require(await admission.result(caller.user, bench.makeRequest()).refusal)
            #expect(reached.kind == .active && reached.name == "user" && reached.quota == 2 && reached.window == nil)
            #expect(await admission.result(Callers().user, bench.makeRequest()).isAdmitted)
            // Running counts, too.
            let claim = try await bench.claimNext(by: consumer)
            #expect(claim.request.correlationID == first.correlationID)
            #expect(await !admission.result(caller.user, bench.makeRequest()).isAdmitted)
            _ = try await consumer.finish(bench.finished(claim), at: .afterLast)
            let third = try await submit(bench, admission, caller.user)
            #expect(await !admission.result(caller.user, bench.makeRequest()).isAdmitted)
            #expect(try await bench.cancel(second.correlationID, .requested) == .over)
            _ = try await submit(bench, admission, caller.user)
            #expect(await !admission.result(caller.user, bench.makeRequest()).isAdmitted)
            // As its expiry does.
            try await bench.redis("DEL", bench.keys.request(third.correlationID))
            #expect(await !admission.result(caller.user, bench.makeRequest()).isAdmitted, "it may not be published yet")
            try await age(bench, third)
            _ = try await submit(bench, admission, caller.user)
            #expect(await !admission.result(caller.user, bench.makeRequest()).isAdmitted)
        }
    }

    /// Makes a member as old as one that was never published.
    private func age(_ bench: RedisBench, _ request: MathRequest) async throws {
        for key in try await bench.redis("KEYS", "lemma:*:active:*").array ?? [] {
            try await bench.redis("ZADD", key.string ?? "", "XX", "1", request.correlationID.description)
        }
    }

    @Test("a dead worker frees nothing until its request has ended, then nothing is leaked")
    func deadWorker() async throws {
        try await withRedis { bench in
            let (admission, caller) = (bench.admission(.init(active: 1)), Callers())
            _ = try await submit(bench, admission, caller.user)
            let dead = bench.consumer("dead")
            _ = try await bench.claimNext(by: dead)
            #expect(await !admission.result(caller.user, bench.makeRequest()).isAdmitted)
            let other = bench.consumer("other", lease: .zero)
            let taken = try #require(try await other.takeOver(upTo: 1).first)
            guard case .claimed(let claim) = try await other.claim(taken, bench.plan()) else {
                Issue.record("not claimed")
                return
            }
            #expect(await !admission.result(caller.user, bench.makeRequest()).isAdmitted, "the next attempt runs")
            _ = try await other.finish(bench.finished(claim), at: .afterLast)
            #expect(await admission.result(caller.user, bench.makeRequest()).isAdmitted)
            #expect(try await bench.activeCount() == 1)
        }
    }

    @Test("a submission that was not published gives its place back at once")
    func withdrawn() async throws {
        try await withRedis { bench in
            let (admission, caller) = (bench.admission(.init(active: 1, tokens: 500)), Callers())
            let key = Callers.key(KeyLimits(maxActive: 1, tokensPerDay: 300))
            let submitter = Submitter(user: UserID(caller.account), key: key)
            for _ in 0..<3 {
                let request = bench.makeRequest()
                let charge = SubmissionCharge(submitter: submitter, request: request.correlationID, tokens: 200)
                _ = try await admission.admit(charge)
                await admission.withdraw(charge)
            }
            #expect(try await bench.activeCount() == 0)
            #expect(try await bench.tokenSums() == [0, 0])
        }
    }

    @Test("a key's limit counts its end users together, an end user's own is its own")
    func keys() async throws {
        try await withRedis { bench in
            let (admission, caller) = (bench.admission(.init(active: 1)), Callers())
            let key = Callers.key(KeyLimits(maxActive: 2))
            #expect(await admission.result(caller.endUser("a", key), bench.makeRequest()).isAdmitted)
            #expect(await admission.result(caller.endUser("a", key), bench.makeRequest()).refusal?.name == "user")
            #expect(await admission.result(caller.endUser("b", key), bench.makeRequest()).isAdmitted)
            #expect(await admission.result(caller.endUser("c", key), bench.makeRequest()).refusal?.name == "key")
        }
    }

    @Test("members in all partitions are verified")
    func partitions() async throws {
        try await withRedis { bench in
            let store = bench.store(partitions: 4)
            defer { store.close() }
            let limits = SubmissionLimits(active: 12)
            let admission = RedisSubmissionAdmission(store: store, limits: limits)
            let publisher = RedisMessagePublisher(store: store, limits: .init(waiting: 1000))
            let repository = RedisRequestRepository(store: store)
            let caller = Callers()
            var requests: [MathRequest] = []
            for _ in 0..<12 {
                let request = bench.makeRequest(user: caller.user.user)
                #expect(await admission.result(caller.user, request).isAdmitted)
                _ = try await publisher.publish(request, in: .new, as: nil)
                requests.append(request)
            }
            #expect(Set(requests.map { store.keys.partition(of: $0.correlationID) }).count > 1)
            #expect(await !admission.result(caller.user, bench.makeRequest()).isAdmitted)
            for request in requests {
                #expect(try await repository.cancel(request, .requested) == .over)
                #expect(await admission.result(caller.user, bench.makeRequest()).isAdmitted, "the freed place")
                #expect(await !admission.result(caller.user, bench.makeRequest()).isAdmitted)
            }
        }
    }

    @Test("a large set is verified in steps until its ended requests are found, and counts as full in between")
    func largeSet() async throws {
        try await withRedis { bench in
            let (admission, caller) = (bench.admission(.init(active: 600)), Callers())
            var requests: [MathRequest] = []
            for _ in 0..<600 { requests.append(try await submit(bench, admission, caller.user)) }
            let calls = try await statusCalls(bench)
            #expect(await !admission.result(caller.user, bench.makeRequest()).isAdmitted)
            #expect(try await statusCalls(bench) == calls + 4)
            #expect(await !admission.result(caller.user, bench.makeRequest()).isAdmitted)
            #expect(try await statusCalls(bench) == calls + 4, "remembered")
            // The newest, which the first steps do not reach.
            let last = try #require(requests.last)
            #expect(try await bench.cancel(last.correlationID, .requested) == .over)
            let isFound = try await eventually {
                await admission.result(caller.user, bench.makeRequest()).isAdmitted
            }
            #expect(isFound)
        }
    }

    /// Calls of `read_statuses` so far; each has one HGET a member.
    private func statusCalls(_ bench: RedisBench) async throws -> Int {
        let statistics = try await bench.redis("INFO", "commandstats").string ?? ""
        let line = statistics.split(whereSeparator: \.isNewline).first { $0.hasPrefix("cmdstat_hget:calls=") }
        let count = line?.split(separator: "=").dropFirst().first?.prefix { $0.isNumber }
        return (count.flatMap { Int($0) } ?? 0) / 64
    }
}
