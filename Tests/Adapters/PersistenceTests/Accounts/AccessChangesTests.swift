import Application
import ArchiveSupport
import Domain
import Persistence
import Shared
import TestSupport
import Testing

@Suite("Withdrawn credentials", .tags(.conformance), .timeLimit(.minutes(2)))
struct AccessChangesTests {
    private func disable(_ number: UInt64, _ ports: AccountPorts, _ isDisabled: Bool = true) async throws {
        _ = try await ports.accounts.change(Sample.id(number), AccountChange(isDisabled: isDisabled))
    }

    @Test("at first all that is withdrawn is reported, then what changes, again for a while, and nothing else")
    func polled() async throws {
        try await withAccounts { ports, database in
            for number: UInt64 in 1...4 { try await ports.accounts.add(try Sample.account(number), Sample.hash) }
            for number: UInt64 in 11...12 {
                try await ports.keys.add(Sample.key(number, of: Sample.id(4)), secret: Sample.digest(UInt8(number)))
            }
            let before = try await ports.changes.changes(since: nil)
            #expect(before.disabled.isEmpty && before.enabled.isEmpty && before.revokedKeys.isEmpty)
            try await disable(1, ports)
            _ = try await ports.keys.revoke(Sample.id(11), of: nil, at: Samples.time(0))
            // Long ago.
            try database.sql("UPDATE users SET access_changed_at = access_changed_at - interval '1 day'")
            try database.sql("UPDATE api_keys SET access_changed_at = access_changed_at - interval '1 day'")
            let first = try await ports.changes.changes(since: nil)
            #expect(first.disabled == [Sample.id(1)] && first.revokedKeys == [Sample.id(11)])
            let quiet = try await ports.changes.changes(since: first.nextTime)
            #expect(quiet.disabled.isEmpty && quiet.enabled.isEmpty && quiet.revokedKeys.isEmpty)
            #expect(quiet.nextTime >= first.nextTime)

            try await disable(2, ports)
            try await disable(1, ports, false)
            _ = try await ports.erasure.begin(Sample.id(3), at: Samples.time(0))
            _ = try await ports.keys.revoke(Sample.id(12), of: nil, at: Samples.time(0))
            for _ in 0..<2 {
                let next = try await ports.changes.changes(since: quiet.nextTime)
                #expect(Set(next.disabled) == [Sample.id(2), Sample.id(3)])
                #expect(next.enabled == [Sample.id(1)] && next.revokedKeys == [Sample.id(12)])
            }
            let all = try await ports.changes.changes(since: nil)
            #expect(Set(all.disabled) == [Sample.id(2), Sample.id(3)] && all.enabled.isEmpty)
            #expect(Set(all.revokedKeys) == [Sample.id(11), Sample.id(12)])
        }
    }

    @Test("what changes nothing about access is not reported")
    func unrelated() async throws {
        try await withAccounts { ports, _ in
            try await ports.accounts.add(try Sample.account(1), Sample.hash)
            let start = try await ports.changes.changes(since: nil).nextTime
            _ = try await ports.accounts.change(Sample.id(1), AccountChange(roles: [.student, .admin]))
            _ = try await ports.accounts.change(Sample.id(1), AccountChange(isDisabled: false))
            _ = try await ports.accounts.replacePasswordHash(of: Sample.id(1), nil, by: PasswordHash("x"))
            let changes = try await ports.changes.changes(since: start)
            #expect(changes.disabled.isEmpty && changes.enabled.isEmpty)
        }
    }

    @Test("a change whose transaction commits late is reported by a call after that")
    func late() async throws {
        try await withAccounts { ports, database in
            try await ports.accounts.add(try Sample.account(1), Sample.hash)
            // Its time is from before the first call, its commit is after that.
            let slow = try database.server.startSQL(
                "UPDATE users SET disabled_at = now(), access_changed_at = clock_timestamp(); SELECT pg_sleep(3)",
                in: database.name,
            )
            let sleeps =
                "SELECT count(*) FROM pg_stat_activity WHERE datname = '\(database.name)' AND wait_event = 'PgSleep'"
            #expect(try await eventually { try database.server.sql(sleeps) == "1" })
            let first = try await ports.changes.changes(since: nil)
            #expect(first.disabled.isEmpty)
            #expect(slow.wait() == 0)
            let changes = try await ports.changes.changes(since: first.nextTime)
            #expect(changes.disabled == [Sample.id(1)])
        }
    }

    @Test("an erased account leaves the digest of its id for as long as its tokens may live, and no id")
    func erased() async throws {
        try await withAccounts { ports, database in
            let account = try Sample.account(1)
            try await ports.accounts.add(account, Sample.hash)
            try await ports.keys.add(Sample.key(11, of: account.id), secret: Sample.digest(1))
            _ = try await ports.erasure.begin(account.id, at: Samples.time(0))
            let start = try await ports.changes.changes(since: nil)
            #expect(start.erased.isEmpty && start.disabled == [account.id])
            #expect(try await ports.erasure.complete(account.id))
            for since in [nil, start.nextTime] {
                let changes = try await ports.changes.changes(since: since)
                #expect(changes.disabled.isEmpty && changes.erased.count == 1)
                let digest = try database.sql("SELECT encode(sha256('\(account.id)'), 'hex')")
                #expect(changes.erased.first?.description == digest)
            }
            try await ports.changes.deleteWithdrawn(before: Samples.time(0))
            #expect(try await ports.changes.changes(since: nil).erased.count == 1)
            try await ports.changes.deleteWithdrawn(before: Samples.time(1_000_000_000_000))
            #expect(try await ports.changes.changes(since: nil).erased.isEmpty)
        }
    }

    @Test("a revoked key is forgotten after its time, a living one never")
    func forgotten() async throws {
        try await withAccounts { ports, database in
            try await ports.accounts.add(try Sample.account(1), Sample.hash)
            for number: UInt64 in 11...12 {
                try await ports.keys.add(Sample.key(number, of: Sample.id(1)), secret: Sample.digest(UInt8(number)))
            }
            _ = try await ports.keys.revoke(Sample.id(11), of: nil, at: Samples.time(0))
            try await ports.changes.deleteWithdrawn(before: Samples.time(1_000_000_000_000))
            #expect(try database.sql("SELECT id FROM api_keys") == "\(Sample.id(12, APIKeyID.self))")
        }
    }
}
