import Application
import ArchiveSupport
import Domain
import Persistence
import Shared
import TestSupport
import Testing

@Suite("API keys, kept", .tags(.conformance), .timeLimit(.minutes(2)))
struct APIKeyRepositoryTests {
    private func withOwners(_ body: (AccountPorts, Account, Account) async throws -> Void) async throws {
        try await withAccounts { ports, _ in
            let owners = try [Sample.account(1), Sample.account(2)]
            for owner in owners { try await ports.accounts.add(owner, Sample.hash) }
            try await body(ports, owners[0], owners[1])
        }
    }

    @Test("a key comes back as it was added, by its secret's digest with its account, and in the list of its owner")
    func everything() async throws {
        try await withOwners { ports, ada, bob in
            let limits = KeyLimits(requestsPerMinute: 10, maxActive: 2, tokensPerDay: 5_000_000_000)
            let full = Sample.key(11, of: ada.id, scopes: [.read], limits: limits, expiresAt: Samples.time(99))
            let plain = Sample.key(12, of: ada.id)
            try await ports.keys.add(full, secret: Sample.digest(1))
            try await ports.keys.add(plain, secret: Sample.digest(2))
            #expect(try await ports.keys.find(secret: Sample.digest(1)) == OwnedKey(key: full, account: ada))
            #expect(try await ports.keys.find(secret: Sample.digest(2)) == OwnedKey(key: plain, account: ada))
            #expect(try await ports.keys.find(secret: Sample.digest(3)) == nil)
            #expect(try await ports.keys.list(of: ada.id) == [plain, full])
            #expect(try await ports.keys.list(of: bob.id).isEmpty)
            let disabled = try await ports.accounts.change(ada.id, AccountChange(isDisabled: true))
            #expect(try await ports.keys.find(secret: Sample.digest(1))?.account == disabled, "whatever its state")
        }
    }

    @Test("a key is revoked once, by its owner or an operator, and is gone from then on")
    func revoke() async throws {
        try await withOwners { ports, ada, bob in
            for number: UInt64 in 11...12 {
                try await ports.keys.add(Sample.key(number, of: ada.id), secret: Sample.digest(UInt8(number)))
            }
            let now = Samples.time(500)
            #expect(try await ports.keys.revoke(Sample.id(11), of: bob.id, at: now) == nil)
            #expect(try await ports.keys.find(secret: Sample.digest(11)) != nil)
            #expect(try await ports.keys.revoke(Sample.id(11), of: ada.id, at: now)?.id == Sample.id(11))
            #expect(try await ports.keys.revoke(Sample.id(11), of: ada.id, at: now) == nil)
            #expect(try await ports.keys.find(secret: Sample.digest(11)) == nil)
            #expect(try await ports.keys.list(of: ada.id).map(\.id) == [Sample.id(12)])
            #expect(try await ports.keys.revoke(Sample.id(12), of: nil, at: now)?.owner == ada.id)
            #expect(try await ports.keys.list(of: ada.id).isEmpty)
        }
    }

    @Test("the last use is noted for many keys at once, and never goes back")
    func use() async throws {
        try await withOwners { ports, ada, _ in
            for number: UInt64 in 11...13 {
                try await ports.keys.add(Sample.key(number, of: ada.id), secret: Sample.digest(UInt8(number)))
            }
            func uses() async throws -> [Timestamp?] {
                try await ports.keys.list(of: ada.id).reversed().map(\.lastUsedAt)
            }
            let (early, late) = (Samples.time(1000), Samples.time(2000))
            try await ports.keys.noteUse([:])
            try await ports.keys.noteUse([Sample.id(11): late, Sample.id(12): early, Sample.id(99): early])
            #expect(try await uses() == [late, early, nil])
            try await ports.keys.noteUse([Sample.id(11): early, Sample.id(12): late])
            #expect(try await uses() == [late, late, nil])
        }
    }

    @Test("replicas that note the use of the same keys at once do not stop each other")
    func concurrentUse() async throws {
        try await withOwners { ports, ada, _ in
            let numbers = (11...40).map { UInt64($0) }
            for number in numbers {
                try await ports.keys.add(Sample.key(number, of: ada.id), secret: Sample.digest(UInt8(number)))
            }
            try await withThrowingTaskGroup { group in
                for round: Int64 in 1...20 {
                    group.addTask {
                        let times = numbers.shuffled().map { (Sample.id($0, APIKeyID.self), Samples.time(round)) }
                        try await ports.keys.noteUse(Dictionary(uniqueKeysWithValues: times))
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await ports.keys.list(of: ada.id).allSatisfy { $0.lastUsedAt == Samples.time(20) })
        }
    }

    @Test("a list has at most as many keys as an account may have")
    func many() async throws {
        try await withOwners { ports, ada, _ in
            for number in 1...(APIKeyRules.keysMax + 5) {
                let digest = Fingerprint((0..<32).map { UInt8(truncatingIfNeeded: number >> $0) })
                try await ports.keys.add(Sample.key(UInt64(number), of: ada.id), secret: digest)
            }
            let listed = try await ports.keys.list(of: ada.id)
            #expect(listed.count == APIKeyRules.keysMax)
            #expect(listed.first?.id == Sample.id(UInt64(APIKeyRules.keysMax + 5)))
        }
    }
}
