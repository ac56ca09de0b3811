import Application
import ArchiveSupport
import Domain
import Persistence
import Shared
import TestSupport
import Testing

@Suite("Erased accounts, in the archive", .tags(.conformance), .timeLimit(.minutes(2)))
struct ArchiveErasureTests {
    private static let account: AccountID = Sample.id(1)
    private static let endUser = UserID(endUser: "ada", of: account)
    private static let now = Samples.time(0)

    /// The account and another one, each with a session and a key.
    private func withTwo(_ body: (AccountPorts, PostgresTestDatabase) async throws -> Void) async throws {
        try await withAccounts { ports, database in
            for number: UInt64 in 1...2 {
                try await ports.accounts.add(try Sample.account(number), Sample.hash)
                try await ports.sessions.begin(
                    Sample.id(number),
                    of: Sample.id(number),
                    token: Sample.digest(0),
                    at: Self.now,
                    expiresAt: Samples.time(1000),
                )
                try await ports.keys.add(
                    Sample.key(number, of: Sample.id(number)),
                    secret: Sample.digest(UInt8(number))
                )
            }
            try await body(ports, database)
        }
    }

    private func rows(_ database: PostgresTestDatabase) throws -> String {
        try database.sql(
            """
            SELECT (SELECT count(*) FROM conversations), (SELECT count(*) FROM math_requests),
                (SELECT count(*) FROM ai_responses), (SELECT count(*) FROM usage_days),
                (SELECT count(*) FROM sessions), (SELECT count(*) FROM api_keys), (SELECT count(*) FROM users)
            """
        )
    }

    @Test(
        "from its beginning on, the account does not exist for any port, its address is free and nothing names its owner"
    )
    func begin() async throws {
        try await withTwo { ports, database in
            #expect(try await ports.erasure.begin(Self.account, at: Self.now))
            #expect(try await ports.erasure.begin(Self.account, at: Samples.time(5)), "idempotent")
            #expect(try await !ports.erasure.begin(Sample.id(9), at: Self.now))
            #expect(try await ports.accounts.find(Self.account) == nil)
            #expect(try await ports.accounts.passwordAccount(Self.account) == nil)
            #expect(try await ports.accounts.passwordAccount(try EmailAddress("user1@example.org")) == nil)
            #expect(try await ports.accounts.list(email: nil, after: nil, limit: 9).map(\.id) == [Sample.id(2)])
            #expect(try await ports.accounts.change(Self.account, AccountChange(isDisabled: false)) == nil)
            #expect(try await !ports.accounts.replacePasswordHash(of: Self.account, nil, by: Sample.hash))
            #expect(try await ports.keys.find(secret: Sample.digest(1)) == nil)
            #expect(try await ports.keys.find(secret: Sample.digest(2)) != nil)
            try await ports.keys.add(Sample.key(8, of: Self.account), secret: Sample.digest(8))
            try await ports.sessions.begin(
                Sample.id(8),
                of: Self.account,
                token: Sample.digest(0),
                at: Self.now,
                expiresAt: Samples.time(1000),
            )
            #expect(try rows(database) == "0|0|0|0|1|1|2")
            try await ports.accounts.add(try Sample.account(3, email: "user1@example.org"), Sample.hash)
            #expect(try await ports.erasure.isPending(Self.account))
        }
    }

    @Test(
        "records of the account and its end users are discarded, those of others and of users without account are kept"
    )
    func discarded() async throws {
        try await withTwo { ports, database in
            _ = try await ports.erasure.begin(Self.account, at: Self.now)
            let gone = [UserID(Self.account), Self.endUser]
            let kept = [UserID(Sample.id(2, AccountID.self)), .anonymous, UserID("ada")]
            func batch(_ users: [UserID], from first: UInt64) -> [ArchiveEntry] {
                users.enumerated().flatMap { place, user in
                    let samples = Samples(user: user, number: first + UInt64(place))
                    return [samples.submitted(1, at: 0), .finished(samples.finished(2, at: 0))]
                }
            }
            let discarded = try await ports.archive.add(batch(gone + kept, from: 1))
            #expect(discarded == [Self.account])
            #expect(try rows(database) == "3|6|3|3|1|1|2")
            #expect(try await ports.erasure.conversations(of: Self.account, after: nil, limit: 9).isEmpty)
            #expect(try await ports.archive.add(batch(kept, from: 3)).isEmpty)
            let unknown = UserID(Sample.id(77, AccountID.self))
            #expect(try await ports.archive.add(batch([unknown], from: 50)) == [Sample.id(77)], "no such account")
            #expect(try rows(database) == "3|6|3|3|1|1|2")
        }
    }

    @Test("records for a conversation from before are discarded, too")
    func existing() async throws {
        try await withTwo { ports, database in
            let mine = Samples(user: UserID(Self.account), number: 1)
            try await ports.archive.add([mine.submitted(1, at: 0)])
            _ = try await ports.erasure.begin(Self.account, at: Self.now)
            let late: [ArchiveEntry] = [.finished(mine.finished(1, at: 0)), mine.submitted(2, at: 5)]
            #expect(try await ports.archive.add(late) == [Self.account])
            #expect(try rows(database) == "1|1|0|1|1|1|2")
        }
    }

    @Test("a batch that began before is complete, or sees the beginning: none adds anything afterwards")
    func concurrent() async throws {
        try await withTwo { ports, database in
            try await withThrowingTaskGroup { group in
                for worker: UInt64 in 1...6 {
                    group.addTask {
                        for number: UInt64 in 1...20 {
                            let samples = Samples(user: UserID(Self.account), number: 100 * worker + number)
                            try await ports.archive.add([.finished(samples.finished(1, at: 0))])
                        }
                    }
                }
                let some = "SELECT count(*) > 5 FROM conversations"
                #expect(try await eventually { try database.sql(some) == "t" })
                #expect(try await ports.erasure.begin(Self.account, at: Self.now))
                let before = try rows(database)
                try await group.waitForAll()
                #expect(try rows(database) == before)
            }
        }
    }

    @Test("what is listed is all of the account and its end users, also deleted conversations, with the requests")
    func listed() async throws {
        try await withTwo { ports, database in
            let mine = UserID(Self.account)
            // Not the account's: its id is but the beginning of theirs.
            try database.sql(
                """
                INSERT INTO conversations (id, user_id, created_at, updated_at)
                SELECT gen_random_uuid(), '\(mine)' || suffix, now(), now() FROM unnest(ARRAY['0', '-x', ' /']) AS s (suffix)
                """
            )
            for number: UInt64 in 1...5 {
                let samples = Samples(user: number % 2 == 0 ? Self.endUser : mine, number: number)
                try await ports.archive.add((1...3).map { samples.submitted($0, at: 0) })
            }
            let deleted = Samples(user: mine, number: 5)
            _ = try await ports.conversations.delete(deleted.conversationID, of: mine, isExpected: true, at: Self.now)
            try await ports.archive.add([
                Samples(user: UserID(Sample.id(2, AccountID.self)), number: 6).submitted(1, at: 0)
            ])
            _ = try await ports.erasure.begin(Self.account, at: Self.now)
            var seen: [ErasedConversation] = []
            while true {
                let page = try await ports.erasure.conversations(of: Self.account, after: seen.last?.id, limit: 2)
                seen += page
                if page.count < 2 { break }
            }
            #expect(seen.map(\.id) == (1...5).map { Samples(user: mine, number: $0).conversationID })
            #expect(seen.map(\.user) == [mine, Self.endUser, mine, Self.endUser, mine])
            #expect(seen.map(\.requests.count) == [3, 3, 3, 3, 0])
            let ids = (1...3).map { Samples(user: mine, number: 1).request($0).correlationID }
            #expect(Set(seen[0].requests) == Set(ids))
        }
    }

    @Test("it completes when no conversation is left: nothing of the account stays, all of the other one does")
    func complete() async throws {
        try await withTwo { ports, database in
            let users = [UserID(Self.account), Self.endUser, UserID(Sample.id(2, AccountID.self))]
            for (place, user) in users.enumerated() {
                let samples = Samples(user: user, number: UInt64(place + 1))
                try await ports.archive.add([.finished(samples.finished(1, at: 0))])
            }
            #expect(try await !ports.erasure.complete(Self.account), "it has not begun")
            _ = try await ports.erasure.begin(Self.account, at: Self.now)
            #expect(try await !ports.erasure.complete(Self.account), "conversations are left")
            #expect(try rows(database) == "3|3|3|3|1|1|2")
            let listed = try await ports.erasure.conversations(of: Self.account, after: nil, limit: 9)
            try await ports.erasure.delete(
                listed.map(\.id) + [Samples(user: users[2], number: 3).conversationID],
                of: Self.account
            )
            for _ in 0..<2 { #expect(try await ports.erasure.complete(Self.account)) }
            #expect(try rows(database) == "1|1|1|1|1|1|1")
            #expect(try await !ports.erasure.isPending(Self.account))
            #expect(try await ports.accounts.find(Sample.id(2)) != nil)
        }
    }

    @Test("an erasure is given to one replica at a time, and to another one when nothing is heard of it for a while")
    func claims() async throws {
        try await withTwo { ports, _ in
            let rest = Duration.seconds(3600)
            #expect(try await ports.erasure.claimPending(idleFor: rest).isEmpty)
            #expect(try await !ports.erasure.renew(Self.account), "it has not begun")
            _ = try await ports.erasure.begin(Self.account, at: Self.now)
            let claimed = try await withThrowingTaskGroup(of: [AccountID].self) { group in
                for _ in 0..<10 { group.addTask { try await ports.erasure.claimPending(idleFor: rest) } }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(claimed == [Self.account])
            #expect(try await ports.erasure.claimPending(idleFor: .zero) == [Self.account])
            #expect(try await ports.erasure.renew(Self.account))
            _ = try await ports.erasure.complete(Self.account)
            #expect(try await ports.erasure.claimPending(idleFor: .zero).isEmpty)
            #expect(try await !ports.erasure.renew(Self.account))
        }
    }
}
