import Application
import Domain
import RedisClient
import Shared
import Synchronization
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Limits of requests with passwords", .tags(.integration))
struct CredentialLimitTests {
    private let rate = RequestRate(count: 2, period: .seconds(3600))

    private func isRefused(_ limits: RedisCredentialLimits, _ email: String) async throws -> LimitReached? {
        do {
            try await limits.admit(try EmailAddress(email), from: "192.0.2.1")
            return nil
        } catch let error as CredentialAttemptFailure {
            guard case .tooMany(let reached) = error else { throw error }
            return reached
        }
    }

    @Test("an address and an account have the rate each, in all replicas together")
    func shared() async throws {
        try await withRedis { bench in
            let replicas = (0..<2).map { _ in
                RedisCredentialLimits(store: bench.store, rate: rate, local: LocalRates(rate))
            }
            for replica in replicas { #expect(await replica.admit(from: "192.0.2.1") == nil) }
            let reached = try #require(await replicas[0].admit(from: "192.0.2.1"))
            #expect(reached.kind == .rate && reached.name == "address" && reached.quota == 2)
            #expect(reached.retryAfter <= .seconds(1800) && reached.retryAfter > .seconds(1700))
            #expect(await replicas[0].admit(from: "192.0.2.2") == nil)
            for replica in replicas { #expect(try await isRefused(replica, "ada@example.org") == nil) }
            #expect(try await isRefused(replicas[1], "ADA@example.org")?.name == "account")
            #expect(try await isRefused(replicas[1], "bob@example.org") == nil)
            let keys = (try await bench.redis("KEYS", "*").array ?? []).compactMap(\.string)
            #expect(keys.allSatisfy { !$0.contains("192.0.2") && !$0.contains("example") }, "\(keys)")
        }
    }

    @Test("with Redis away, full or empty, the process counts by itself at the same rate")
    func away() async throws {
        try await withRedis { bench in
            let limits = RedisCredentialLimits(store: bench.store, rate: rate, local: LocalRates(rate))
            for _ in 0..<2 { #expect(await limits.admit(from: "192.0.2.1") == nil) }
            #expect(await limits.admit(from: "192.0.2.1") != nil)
            try await bench.redis("CONFIG", "SET", "maxmemory", "1")
            for _ in 0..<2 { #expect(await limits.admit(from: "192.0.2.2") == nil) }
            #expect(await limits.admit(from: "192.0.2.2")?.quota == 2)
            bench.server.kill()
            for _ in 0..<2 { #expect(try await isRefused(limits, "ada@example.org") == nil) }
            #expect(try await isRefused(limits, "ada@example.org")?.name == "account")
        }
    }
}

@Suite("Rates counted in one process", .tags(.unit))
struct LocalRatesTests {
    private final class Passed: Sendable {
        private let duration = Mutex(Duration.zero)
        func set(_ value: Duration) { duration.withLock { $0 = value } }
        var value: Duration { duration.withLock { $0 } }
    }

    private func subject(_ number: Int) -> Fingerprint { SHA256Fingerprinting().fingerprint("\(number)") }

    @Test("the quota at once, then one after each interval")
    func boundary() throws {
        let start = ContinuousClock.now
        let passed = Passed()
        let rates = LocalRates(RequestRate(count: 3, period: .seconds(30))) { start + passed.value }
        for _ in 0..<3 { #expect(rates.admit(subject(1)) == nil) }
        #expect(rates.admit(subject(1)) == .seconds(10))
        #expect(rates.admit(subject(2)) == nil)
        passed.set(.seconds(9))
        #expect(rates.admit(subject(1)) == .seconds(1))
        passed.set(.seconds(10))
        #expect(rates.admit(subject(1)) == nil)
        #expect(rates.admit(subject(1)) == .seconds(10))
        passed.set(.seconds(1000))
        for _ in 0..<3 { #expect(rates.admit(subject(1)) == nil) }
        #expect(rates.admit(subject(1)) != nil)
    }

    @Test("a flood of subjects costs no more memory, and does not free the one that is limited most")
    func bounded() {
        let start = ContinuousClock.now
        let rates = LocalRates(RequestRate(count: 2, period: .seconds(3600))) { start }
        for _ in 0..<2 { #expect(rates.admit(subject(-1)) == nil) }
        for number in 0..<(LocalRates.subjectsMax + 100) {
            _ = rates.admit(subject(number))
            if rates.count > LocalRates.subjectsMax { Issue.record("\(rates.count) subjects") }
        }
        #expect(rates.admit(subject(-1)) != nil)
    }
}
