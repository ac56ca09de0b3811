import Application
import ArchiveSupport
import Domain
import Persistence
import Shared
import TestSupport
import Testing

/// The rows of the table in the port, and that there is never more than one living token of a family.
@Suite("Sessions, kept", .tags(.conformance), .timeLimit(.minutes(2)))
struct SessionRepositoryTests {
    private static let session: SessionID = Sample.id(7)
    private static let repeatTime = Duration.seconds(10)

    /// Presents a token at so many milliseconds after the login.
    private func present(
        _ token: UInt8,
        next: UInt8,
        at milliseconds: Int64,
        _ ports: AccountPorts
    ) async throws -> RotationResult {
        try await ports.sessions.rotate(
            Self.session,
            presented: Sample.digest(token),
            next: Sample.digest(next),
            at: Samples.time(milliseconds),
            repeatTime: Self.repeatTime,
        )
    }

    /// A family that begins with token 0 and expires after an hour.
    private func withSession(_ body: (AccountPorts, Account) async throws -> Void) async throws {
        try await withAccounts { ports, _ in
            let account = try Sample.account(1)
            try await ports.accounts.add(account, Sample.hash)
            try await ports.sessions.begin(
                Self.session,
                of: account.id,
                token: Sample.digest(0),
                at: Samples.time(0),
                expiresAt: Samples.time(3_600_000),
            )
            try await body(ports, account)
        }
    }

    private func rotated(_ account: Account) -> RotationResult {
        .rotated(account, expiresAt: Samples.time(3_600_000))
    }

    @Test("the current token is rotated, each one once, and the family's expiry stays that of the login")
    func chain() async throws {
        try await withSession { ports, account in
            for number: UInt8 in 0..<5 {
                let result = try await present(number, next: number + 1, at: 60_000 * Int64(number), ports)
                #expect(result == rotated(account))
            }
        }
    }

    @Test("a spent token may come once more within the repeat time: the token given first is void then")
    func repetition() async throws {
        try await withSession { ports, account in
            let first = try await present(0, next: 1, at: 1000, ports)
            #expect(first == rotated(account))
            #expect(try await present(0, next: 2, at: 11_000, ports) == rotated(account))
            #expect(try await present(1, next: 3, at: 11_001, ports) == .invalid, "void")
            #expect(try await present(2, next: 4, at: 11_002, ports) == rotated(account), "the family lives")
            #expect(try await present(1, next: 5, at: 11_003, ports) == .invalid, "void for ever")
            #expect(try await present(4, next: 6, at: 11_004, ports) == rotated(account))
        }
    }

    @Test(
        "any other use of a spent token revokes the family: too late, for the third time, or one from before",
        arguments: [
            [(0, 1, 1000), (0, 2, 11_001)],
            [(0, 1, 1000), (0, 2, 2000), (0, 3, 3000)],
            [(0, 1, 1000), (1, 2, 2000), (0, 3, 3000)],
        ] as [[(UInt8, UInt8, Int64)]]
    )
    func reuse(_ steps: [(UInt8, UInt8, Int64)]) async throws {
        try await withSession { ports, account in
            for (token, next, time) in steps.dropLast() {
                #expect(try await present(token, next: next, at: time, ports) == rotated(account))
            }
            let (token, next, time) = try #require(steps.last)
            #expect(try await present(token, next: next, at: time, ports) == .reused(account.id))
            for any: UInt8 in 0...3 {
                #expect(try await present(any, next: 9, at: time + 1, ports) == .invalid, "nothing of it lives")
            }
        }
    }

    @Test("a token of a revoked, expired or unknown family, or of a disabled or erased account is invalid")
    func invalid() async throws {
        try await withSession { ports, account in
            #expect(try await present(0, next: 1, at: 3_600_000, ports) == .invalid, "expired")
            let unknown = try await ports.sessions.rotate(
                Sample.id(8),
                presented: Sample.digest(0),
                next: Sample.digest(1),
                at: Samples.time(1),
                repeatTime: Self.repeatTime,
            )
            #expect(unknown == .invalid)
            _ = try await ports.accounts.change(account.id, AccountChange(isDisabled: true))
            #expect(try await present(0, next: 1, at: 1, ports) == .invalid, "disabled")
            _ = try await ports.accounts.change(account.id, AccountChange(isDisabled: false))
            #expect(try await present(0, next: 1, at: 2, ports) == rotated(account), "as before")
            _ = try await ports.erasure.begin(account.id, at: Samples.time(3))
            #expect(try await present(1, next: 2, at: 4, ports) == .invalid, "erased")
        }
    }

    @Test("a session is revoked by its current or spent token, by no other one, and once")
    func revoke() async throws {
        for (token, isValid): (UInt8, Bool) in [(0, true), (1, true), (2, false)] {
            try await withSession { ports, account in
                _ = try await present(0, next: 1, at: 1, ports)
                let revoked = try await ports.sessions.revoke(Self.session, presented: Sample.digest(token))
                #expect(revoked == (isValid ? account.id : nil))
                let after = try await present(1, next: 3, at: 2, ports)
                #expect(after == (isValid ? .invalid : rotated(account)))
                if isValid {
                    #expect(try await ports.sessions.revoke(Self.session, presented: Sample.digest(token)) == nil)
                }
            }
        }
    }

    @Test("all sessions of an account are revoked but the one that is excepted; another account's live on")
    func revokeAll() async throws {
        try await withAccounts { ports, _ in
            for number: UInt64 in 1...2 { try await ports.accounts.add(try Sample.account(number), Sample.hash) }
            func begin(_ session: UInt64, of account: UInt64) async throws {
                try await ports.sessions.begin(
                    Sample.id(session),
                    of: Sample.id(account),
                    token: Sample.digest(0),
                    at: Samples.time(0),
                    expiresAt: Samples.time(1000),
                )
            }
            func lives(_ session: UInt64) async throws -> Bool {
                let result = try await ports.sessions.rotate(
                    Sample.id(session),
                    presented: Sample.digest(0),
                    next: Sample.digest(0),
                    at: Samples.time(1),
                    repeatTime: Self.repeatTime,
                )
                return result != .invalid
            }
            for session: UInt64 in 1...3 { try await begin(session, of: 1) }
            try await begin(4, of: 2)
            try await ports.sessions.revokeAll(of: Sample.id(1), but: Sample.id(2))
            var living: [UInt64] = []
            for session: UInt64 in 1...4 where try await lives(session) { living.append(session) }
            #expect(living == [2, 4])
            try await ports.sessions.revokeAll(of: Sample.id(1), but: nil)
            #expect(try await !lives(2))
        }
    }

    @Test("ended sessions are deleted, up to the limit; living ones stay")
    func deleteEnded() async throws {
        try await withAccounts { ports, database in
            try await ports.accounts.add(try Sample.account(1), Sample.hash)
            for session: UInt64 in 1...6 {
                try await ports.sessions.begin(
                    Sample.id(session),
                    of: Sample.id(1),
                    token: Sample.digest(0),
                    at: Samples.time(0),
                    // The last two end later.
                    expiresAt: Samples.time(session <= 4 ? 1000 : 9_000_000_000_000),
                )
            }
            try await ports.sessions.revokeAll(of: Sample.id(1), but: Sample.id(6))
            func left() throws -> String { try database.sql("SELECT count(*) FROM sessions") }
            try await ports.sessions.deleteEnded(before: Samples.time(500), limit: 10)
            #expect(try left() == "6")
            try await ports.sessions.deleteEnded(before: Samples.time(2000), limit: 3)
            #expect(try left() == "3")
            try await ports.sessions.deleteEnded(before: Samples.time(8_000_000_000_000), limit: 10)
            #expect(try left() == "1")
        }
    }

    @Test("of tokens that two replicas present at once, at most one family token lives afterwards", arguments: 0..<8)
    func concurrent(round: Int) async throws {
        let database = try PostgresServer.shared.get().database()
        _ = try await migrate(database, Migration.all)
        try await withDatabase(database.url) { one in
            try await withDatabase(database.url) { other in
                let pools = [AccountPorts(one), AccountPorts(other)]
                let account = try Sample.account(1)
                try await pools[0].accounts.add(account, Sample.hash)
                try await pools[0].sessions.begin(
                    Self.session,
                    of: account.id,
                    token: Sample.digest(0),
                    at: Samples.time(0),
                    expiresAt: Samples.time(3_600_000),
                )
                // Both pools have a connection, so that nothing but PostgreSQL serializes the calls.
                for pool in pools { _ = try await pool.accounts.find(account.id) }
                let presentations = 2 + round % 3
                let results = try await withThrowingTaskGroup(of: (UInt8, RotationResult).self) { group in
                    for number in 1...presentations {
                        let ports = pools[number % 2]
                        group.addTask {
                            (
                                UInt8(number),
                                try await self.present(0, next: UInt8(number), at: Int64(number), ports)
                            )
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                let given = results.filter { if case .rotated = $0.1 { true } else { false } }.map(\.0)
                #expect(given.count == 2, "the first, and the repetition")
                let state = try database.sql("SELECT current_token, revoked_at IS NULL FROM sessions")
                let living = given.filter { state == "\(Sample.digest($0))|t" }
                #expect(living.count == (presentations == 2 ? 1 : 0), "a third use revokes the family")
                for token in given where !living.contains(token) {
                    #expect(try await present(token, next: 9, at: 100, pools[0]) == .invalid)
                }
                for token in living {
                    #expect(try await present(token, next: 9, at: 200, pools[1]) == rotated(account))
                }
            }
        }
    }
}
