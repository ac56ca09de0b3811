import Application
import ArchiveSupport
import Domain
import Persistence
import Shared
import TestSupport
import Testing

@Suite("Accounts, kept", .tags(.conformance), .timeLimit(.minutes(2)))
struct AccountRepositoryTests {
    @Test(
        "an account comes back as it was added, by its id, by its address in any case, and with its password's digest"
    )
    func everything() async throws {
        try await withAccounts { ports, _ in
            var account = try Sample.account(1, email: "Ada.Lovelace@Example.ORG", roles: [.student, .admin])
            account.displayName = "Ada \u{1F600} \"L\""
            try await ports.accounts.add(account, Sample.hash)
            let found = try #require(try await ports.accounts.find(account.id))
            #expect(found == account && found.email?.text == "Ada.Lovelace@Example.ORG")
            for text in ["ada.lovelace@example.org", "ADA.LOVELACE@EXAMPLE.ORG"] {
                let known = try await ports.accounts.passwordAccount(try EmailAddress(text))
                #expect(known?.account == account && known?.hash == Sample.hash)
            }
            #expect(try await ports.accounts.passwordAccount(account.id)?.hash == Sample.hash)
            #expect(try await ports.accounts.find(Sample.id(2)) == nil)
            #expect(try await ports.accounts.passwordAccount(try EmailAddress("bob@example.org")) == nil)
        }
    }

    @Test("an address in another case is taken, and the first account stays as it was; adding it again is no failure")
    func taken() async throws {
        try await withAccounts { ports, _ in
            let first = try Sample.account(1, email: "ada@example.org")
            try await ports.accounts.add(first, Sample.hash)
            try await ports.accounts.add(first, Sample.hash)
            await #expect(throws: AccountAdditionFailure.emailTaken) {
                try await ports.accounts.add(try Sample.account(2, email: "ADA@example.org"), PasswordHash("other"))
            }
            #expect(try await ports.accounts.find(Sample.id(2)) == nil)
            let known = try await ports.accounts.passwordAccount(try EmailAddress("ada@example.org"))
            #expect(known?.account.id == first.id && known?.hash == Sample.hash)
        }
    }

    @Test("of twenty that add one address at once, one has it")
    func race() async throws {
        try await withAccounts { ports, _ in
            let added = await withTaskGroup(of: Bool.self) { group in
                for number: UInt64 in 1...20 {
                    group.addTask {
                        guard let account = try? Sample.account(number, email: "ada@example.org") else { return false }
                        return (try? await ports.accounts.add(account, Sample.hash)) != nil
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(added == 1)
        }
    }

    @Test("a user of an issuer is one account, however many see it first; another issuer's is another one")
    func issuers() async throws {
        try await withAccounts { ports, _ in
            let seen = try await withThrowingTaskGroup(of: AccountID.self) { group in
                for number: UInt64 in 1...10 {
                    group.addTask {
                        try await ports.accounts.issuerAccount(orAdd: Sample.issuerAccount(number, "ada")).id
                    }
                }
                return try await group.reduce(into: Set<AccountID>()) { $0.insert($1) }
            }
            #expect(seen.count == 1)
            let known = try await ports.accounts.issuerAccount(orAdd: Sample.issuerAccount(99, "ada"))
            #expect(seen.contains(known.id) && known.origin == .issuer("https://issuer", subject: "ada"))
            #expect(known.email == nil && known.displayName == "From elsewhere")
            let other = Sample.issuerAccount(50, "ada", of: "https://other")
            #expect(try await ports.accounts.issuerAccount(orAdd: other) == other)
            #expect(try await ports.accounts.passwordAccount(known.id) == nil, "it has no password")
            #expect(try await !ports.accounts.replacePasswordHash(of: known.id, nil, by: Sample.hash))
        }
    }

    @Test("the list goes from the newest on, page by page; with a part of an address only those that have it")
    func list() async throws {
        try await withAccounts { ports, _ in
            for number: UInt64 in 1...5 {
                let email = number % 2 == 0 ? "Even\(number)@example.org" : "odd_\(number)@example.org"
                try await ports.accounts.add(try Sample.account(number, email: email), Sample.hash)
            }
            _ = try await ports.accounts.issuerAccount(orAdd: Sample.issuerAccount(6, "x"))
            var seen: [AccountID] = []
            while true {
                let page = try await ports.accounts.list(email: nil, after: seen.last, limit: 4)
                seen += page.map(\.id)
                if page.count < 4 { break }
            }
            #expect(seen == (1...6).reversed().map { Sample.id($0) })
            #expect(
                try await ports.accounts.list(email: "even", after: nil, limit: 9).map(\.id)
                    == [4, 2].map { Sample.id($0) }
            )
            #expect(try await ports.accounts.list(email: "d_", after: nil, limit: 1).map(\.id) == [Sample.id(5)])
            #expect(try await ports.accounts.list(email: "%", after: nil, limit: 9).isEmpty, "no pattern")
        }
    }

    @Test("a change changes what it names and nothing else")
    func change() async throws {
        try await withAccounts { ports, _ in
            let account = try Sample.account(1)
            try await ports.accounts.add(account, Sample.hash)
            let changes: [(AccountChange, (Account) -> Bool)] = [
                (AccountChange(displayName: try DisplayName("Ada")), { $0.displayName == "Ada" && !$0.isDisabled }),
                (
                    AccountChange(roles: [.student, .admin]),
                    { $0.roles == [.student, .admin] && $0.displayName == "Ada" }
                ),
                (AccountChange(isDisabled: true), { $0.isDisabled && $0.roles == [.student, .admin] }),
                (AccountChange(), { $0.isDisabled && $0.displayName == "Ada" }),
                (AccountChange(roles: [.student], isDisabled: false), { !$0.isDisabled && $0.roles == [.student] }),
            ]
            for (change, holds) in changes {
                let changed = try #require(try await ports.accounts.change(account.id, change))
                #expect(holds(changed), "\(changed)")
                #expect(try await ports.accounts.find(account.id) == changed)
            }
            #expect(try await ports.accounts.change(Sample.id(2), AccountChange(isDisabled: true)) == nil)
            #expect(try await ports.accounts.passwordAccount(account.id)?.hash == Sample.hash)
        }
    }

    @Test("a digest is replaced only where it is still the former one; without a former one always")
    func passwords() async throws {
        try await withAccounts { ports, _ in
            let account = try Sample.account(1)
            try await ports.accounts.add(account, Sample.hash)
            let (second, third) = (PasswordHash("second"), PasswordHash("third"))
            #expect(try await ports.accounts.replacePasswordHash(of: account.id, Sample.hash, by: second))
            #expect(try await !ports.accounts.replacePasswordHash(of: account.id, Sample.hash, by: third))
            #expect(try await ports.accounts.passwordAccount(account.id)?.hash == second)
            #expect(try await ports.accounts.replacePasswordHash(of: account.id, nil, by: third))
            #expect(try await ports.accounts.passwordAccount(account.id)?.hash == third)
            #expect(try await !ports.accounts.replacePasswordHash(of: Sample.id(2), nil, by: third))
        }
    }

    @Test("without PostgreSQL every port says that it is unavailable")
    func unavailable() async throws {
        let database = try PostgresServer.shared.get().database()
        // Without the tables it cannot answer either.
        try await withDatabase(database.url) { access in
            let ports = AccountPorts(access)
            let (id, now) = (Sample.id(1, AccountID.self), Samples.time(0))
            await #expect(throws: AccountAdditionFailure.unavailable) {
                try await ports.accounts.add(try Sample.account(1), Sample.hash)
            }
            let calls: [() async throws -> Void] = [
                { _ = try await ports.accounts.find(id) },
                { _ = try await ports.accounts.issuerAccount(orAdd: Sample.issuerAccount(1, "ada")) },
                { _ = try await ports.accounts.list(email: nil, after: nil, limit: 1) },
                { _ = try await ports.accounts.change(id, AccountChange(isDisabled: true)) },
                { _ = try await ports.sessions.revoke(Sample.id(1), presented: Sample.digest(1)) },
                { try await ports.sessions.deleteEnded(before: now, limit: 1) },
                { _ = try await ports.keys.find(secret: Sample.digest(1)) },
                { try await ports.keys.noteUse([Sample.id(1): now]) },
                { _ = try await ports.changes.changes(since: nil) },
                { _ = try await ports.usage.days(of: .anonymous, in: UTCDay(number: 0)...UTCDay(number: 1)) },
                { _ = try await ports.erasure.begin(id, at: now) },
                { _ = try await ports.erasure.complete(id) },
            ]
            for (place, call) in calls.enumerated() {
                await #expect(throws: RepositoryFailure.unavailable, "\(place)") { try await call() }
            }
        }
    }
}
