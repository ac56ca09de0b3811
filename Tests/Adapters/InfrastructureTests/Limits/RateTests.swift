import Application
import Domain
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Rates of submissions", .tags(.integration))
struct RateTests {
    private let hour = RequestRate(count: 4, period: .seconds(3600))

    @Test("exactly the quota is admitted at once, then one after each interval, and the rest is told")
    func boundary() async throws {
        try await withRedis { bench in
            let admission = bench.admission(.init(rate: hour))
            let caller = Callers()
            for remaining in [3, 2, 1, 0] {
                guard case .admitted(let standing?) = await admission.result(caller.user, bench.makeRequest()) else {
                    Issue.record("refused with \(remaining) to be left")
                    return
                }
                #expect(standing.name == "user" && standing.quota == 4 && standing.window == .seconds(3600))
                #expect(standing.remaining == remaining)
                let reset = Duration.seconds(900 * (4 - remaining))
                #expect(standing.resetAfter <= reset && standing.resetAfter > reset - .seconds(60))
            }
            let reached = try #require(await admission.result(caller.user, bench.makeRequest()).refusal)
            #expect(reached.kind == .rate && reached.name == "user" && reached.quota == 4)
            #expect(reached.window == .seconds(3600))
            #expect(reached.retryAfter <= .seconds(900) && reached.retryAfter > .seconds(840))
            #expect(await admission.result(Callers().user, bench.makeRequest()).isAdmitted, "each user has a rate")
            let counters = try await bench.redis("KEYS", "lemma:*:rate:*").array?.count
            #expect(counters == 2, "a refusal writes nothing")
        }
    }

    @Test("a quota of any size is admitted whole", arguments: [1, 3, 7, 59, 997])
    func wholeQuota(count: Int) async throws {
        try await withRedis { bench in
            let admission = bench.admission(.init(rate: RequestRate(count: count, period: .seconds(86_400))))
            let caller = Callers()
            var admitted = 0
            while admitted <= count, await admission.result(caller.user, bench.makeRequest()).isAdmitted {
                admitted += 1
            }
            #expect(admitted == count)
        }
    }

    @Test("replicas share the counters, whatever the number of partitions is")
    func replicas() async throws {
        try await withRedis { bench in
            let stores = [bench.store(partitions: 4), bench.store(partitions: 4)]
            defer { for store in stores { store.close() } }
            let replicas = stores.map { RedisSubmissionAdmission(store: $0, limits: .init(rate: hour)) }
            for _ in 0..<8 {
                let caller = Callers()
                for turn in 0..<4 {
                    #expect(await replicas[turn % 2].result(caller.user, bench.makeRequest()).isAdmitted)
                }
                for replica in replicas { #expect(await !replica.result(caller.user, bench.makeRequest()).isAdmitted) }
            }
        }
    }

    @Test("anonymous is limited by address, an IPv6 one by its first 64 bits")
    func addresses() async throws {
        try await withRedis { bench in
            let admission = bench.admission(.init(rate: RequestRate(count: 1, period: .seconds(3600)), active: 1))
            func result(_ address: String) async -> AdmissionResult {
                await admission.result(Callers.anonymous(address), bench.makeRequest())
            }
            #expect(await result("192.0.2.1").isAdmitted)
            #expect(await result("192.0.2.1").refusal?.name == "address")
            #expect(await result("::ffff:192.0.2.1").refusal?.name == "address")
            #expect(await result("192.0.2.2").isAdmitted)
            #expect(await result("2001:db8::1").isAdmitted)
            #expect(await result("2001:db8::ffff:1").refusal?.name == "address")
            #expect(await result("2001:db8:0:1::1").isAdmitted)
            let active = try await bench.activeCount()
            #expect(active == 0, "no limit of active requests")
        }
    }

    @Test("a key's rate counts all its end users together, an end user's own rate those of all keys")
    func keys() async throws {
        try await withRedis { bench in
            let admission = bench.admission(.init(rate: RequestRate(count: 3, period: .seconds(3600))))
            let caller = Callers()
            let key = Callers.key(KeyLimits(requestsPerMinute: 4))
            for name in ["a", "b", "c", "d"] {
                #expect(await admission.result(caller.endUser(name, key), bench.makeRequest()).isAdmitted)
            }
            let reached = await admission.result(caller.endUser("e", key), bench.makeRequest()).refusal
            #expect(reached?.name == "key" && reached?.quota == 4 && reached?.window == .seconds(60))
            let other = Callers.key(.none)
            for _ in 0..<2 {
                #expect(await admission.result(caller.endUser("a", other), bench.makeRequest()).isAdmitted)
            }
            #expect(await admission.result(caller.endUser("a", other), bench.makeRequest()).refusal?.name == "user")
            let spared = await admission.result(caller.endUser("e", other), bench.makeRequest())
            #expect(spared.isAdmitted, "was not charged")
        }
    }

    @Test("all limits of a submission are charged, or none")
    func together() async throws {
        try await withRedis { bench in
            let admission = bench.admission(.init(rate: hour, active: 2, tokens: 1000))
            let caller = Callers()
            let key = Callers.key(KeyLimits(requestsPerMinute: 100, maxActive: 100, tokensPerDay: 150))
            let submitter = Submitter(user: UserID(caller.account), key: key)
            for _ in 0..<2 { #expect(await admission.result(submitter, bench.makeRequest()).isAdmitted) }
            let before = try await bench.redis("DBSIZE").integer
            let sums = try await bench.tokenSums()
            #expect(sums.sorted() == [150, 200], "the key's last 50 tokens are reserved")
            let reached = await admission.result(submitter, bench.makeRequest()).refusal
            #expect(reached?.kind == .tokens && reached?.name == "key", "found without a look at the full set")
            let plain = bench.admission(.init(rate: hour, tokens: 1000))
            for _ in 0..<3 { #expect(await plain.result(submitter, bench.makeRequest()).refusal?.kind == .tokens) }
            #expect(try await bench.tokenSums() == sums)
            #expect(try await bench.redis("DBSIZE").integer == before)
            #expect(try await bench.activeCount() == 4)
            let standing = await admission.result(Submitter(user: UserID(caller.account)), bench.makeRequest())
            #expect(standing.refusal?.kind == .active)
            let rated = await bench.admission(.init(rate: hour)).result(caller.user, bench.makeRequest())
            guard case .admitted(let left?) = rated else {
                Issue.record("\(rated)")
                return
            }
            #expect(left.remaining == 1, "refused submissions took no place in the rate")
        }
    }

    @Test("without limits Redis is not asked, and without Redis nothing is admitted")
    func away() async throws {
        try await withRedis { bench in
            let caller = Callers()
            _ = await bench.admission(.init(rate: hour)).result(caller.user, bench.makeRequest())
            try await bench.redis("CONFIG", "SET", "maxmemory", "1")
            let full = await bench.admission(.init(rate: hour)).result(caller.user, bench.makeRequest())
            #expect(full == .unavailable, "counters are new data")
            bench.server.kill()
            #expect(await bench.admission(.init()).result(caller.user, bench.makeRequest()) == .admitted(nil))
            #expect(await bench.admission(.init(rate: hour)).result(caller.user, bench.makeRequest()) == .unavailable)
        }
    }

    @Test("a counter expires when its rate is whole again, and names no one")
    func counters() async throws {
        try await withRedis { bench in
            let caller = Callers()
            let admission = bench.admission(.init(rate: hour, active: 4, tokens: 1000))
            let submitter = Submitter(user: UserID(caller.account), key: Callers.key(KeyLimits(tokensPerDay: 9)))
            #expect(await admission.result(submitter, bench.makeRequest()).isAdmitted)
            let keys = (try await bench.redis("KEYS", "*").array ?? []).compactMap(\.string)
            #expect(keys.count == 4 && keys.allSatisfy { !$0.contains(caller.account.description) }, "\(keys)")
            for key in keys {
                let expiry = try #require(try await bench.redis("PTTL", key).integer)
                let longest = key.contains(":rate:") ? 900_000 : 86_400_000 + 600_000
                #expect((1...longest).contains(expiry), "\(key)")
            }
        }
    }
}
