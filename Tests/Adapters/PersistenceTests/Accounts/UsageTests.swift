import Application
import ArchiveSupport
import Domain
import Persistence
import Shared
import TestSupport
import Testing

@Suite("Usage, counted by the archive", .tags(.integration), .timeLimit(.minutes(2)))
struct UsageTests {
    private static let allDays = UTCDay(number: 0)...UTCDay(number: 100_000)
    private static let day = UTCDay(of: Samples.time(0))
    private static let dayLength = UTCDay.milliseconds

    private func usage(of user: UserID, _ ports: AccountPorts) async throws -> [UsageDay] {
        try await ports.usage.days(of: user, in: Self.allDays)
    }

    /// What so many samples use.
    private func day(_ number: Int = 0, requests: Int, ended: Int) -> UsageDay {
        UsageDay(
            day: UTCDay(number: Self.day.number + number),
            requests: requests,
            inputTokens: 5 * ended,
            outputTokens: 50 * ended,
        )
    }

    @Test("a request counts when it is first seen, its tokens with its answer, each once however its records come")
    func once() async throws {
        let mine = Samples(user: UserID("ada"), number: 1)
        let (submitted, finished) = (mine.submitted(1, at: 0), ArchiveEntry.finished(mine.finished(1, at: 0)))
        let orders: [[[ArchiveEntry]]] = [
            [[submitted], [finished]], [[finished], [submitted]], [[submitted, finished]], [[finished, submitted]],
            [[submitted], [submitted], [finished], [finished], [submitted]], [[finished]],
            [[finished, finished, submitted], [finished]],
        ]
        for batches in orders {
            try await withAccounts { ports, _ in
                for batch in batches {
                    try await ports.archive.add(batch)
                    #expect(try await usage(of: mine.user, ports).map(\.requests) == [1])
                }
                #expect(try await usage(of: mine.user, ports) == [day(requests: 1, ended: 1)], "\(batches)")
            }
        }
    }

    @Test("requests that have not ended count without tokens, those without usage too")
    func withoutUsage() async throws {
        try await withAccounts { ports, database in
            let mine = Samples(user: UserID("ada"), number: 1)
            try await ports.archive.add([mine.submitted(1, at: 0), .finished(mine.finished(2, at: 0, .failed))])
            #expect(try await usage(of: mine.user, ports) == [day(requests: 2, ended: 1)])
            try database.sql("DELETE FROM usage_days")
            try await ports.archive.add([mine.submitted(1, at: 0)])
            #expect(try await usage(of: mine.user, ports).isEmpty)
        }
    }

    @Test("the day is that of the submission in UTC, also of what ends later and whatever the session's time zone")
    func days() async throws {
        try await withAccounts { ports, database in
            try database.sql("ALTER DATABASE \(database.name) SET timezone = 'Pacific/Kiritimati'")
            let mine = Samples(user: UserID("ada"), number: 1)
            let untilMidnight = UTCDay(number: Self.day.number + 1).start.milliseconds - Samples.time(0).milliseconds
            for (place, time) in [untilMidnight - 1, untilMidnight, untilMidnight + Self.dayLength].enumerated() {
                // Ends 100 ms later: the first one on the next day.
                try await ports.archive.add([.finished(mine.finished(UInt64(place + 1), at: time))])
            }
            let days = [0, 1, 2].map { day($0, requests: 1, ended: 1) }
            // A connection that is opened after the change has that time zone.
            try await withDatabase(database.url) { access in
                let late = AccountPorts(access)
                #expect(try await usage(of: mine.user, late) == days)
                try await late.archive.add([.finished(mine.finished(4, at: untilMidnight - 1))])
                #expect(try await usage(of: mine.user, late).map(\.requests) == [2, 1, 1])
            }
            let middle = UTCDay(number: Self.day.number + 1)
            #expect(try await ports.usage.days(of: mine.user, in: middle...middle).map(\.day) == [middle])
        }
    }

    @Test("each user has usage of its own: accounts, end users, anonymous")
    func users() async throws {
        try await withAccounts { ports, _ in
            try await ports.accounts.add(try Sample.account(1), Sample.hash)
            let account = Sample.id(1, AccountID.self)
            let users = [UserID(account), UserID(endUser: "a/b", of: account), .anonymous]
            for (place, user) in users.enumerated() {
                let samples = Samples(user: user, number: UInt64(place + 1))
                try await ports.archive.add((0...UInt64(place)).map { .finished(samples.finished($0, at: 0)) })
            }
            for (place, user) in users.enumerated() {
                #expect(try await usage(of: user, ports) == [day(requests: place + 1, ended: place + 1)])
            }
        }
    }

    @Test("usage survives the deletion of its conversation, and records that come after that add nothing")
    func deleted() async throws {
        try await withAccounts { ports, _ in
            let mine = Samples(user: UserID("ada"), number: 1)
            try await ports.archive.add([.finished(mine.finished(1, at: 0)), mine.submitted(2, at: 0)])
            let now = Samples.time(500)
            _ = try await ports.conversations.delete(mine.conversationID, of: mine.user, isExpected: true, at: now)
            try await ports.archive.add([
                .finished(mine.finished(1, at: 0)), .finished(mine.finished(2, at: 0)), mine.submitted(3, at: 0),
            ])
            #expect(try await usage(of: mine.user, ports) == [day(requests: 2, ended: 1)])
        }
    }

    @Test("batches of several persisters, with the same records in other orders, count each request once")
    func concurrent() async throws {
        let database = try PostgresServer.shared.get().database()
        _ = try await migrate(database, Migration.all)
        try await withDatabase(database.url) { one in
            try await withDatabase(database.url) { other in
                let pools = [AccountPorts(one), AccountPorts(other)]
                let users = (0..<5).map { UserID("user \($0)") }
                var entries: [ArchiveEntry] = []
                for (place, user) in users.enumerated() {
                    for conversation in 0..<4 {
                        let samples = Samples(user: user, number: UInt64(10 * place + conversation + 1))
                        for number: UInt64 in 1...10 {
                            entries += [samples.submitted(number, at: 0), .finished(samples.finished(number, at: 0))]
                        }
                    }
                }
                let all = entries
                try await withThrowingTaskGroup { group in
                    for worker in 0..<8 {
                        group.addTask {
                            let shuffled = all.shuffled()
                            for start in stride(from: 0, to: shuffled.count, by: 50) {
                                let batch = Array(shuffled[start..<min(start + 50, shuffled.count)])
                                try await pools[worker % 2].archive.add(batch)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                for user in users {
                    #expect(try await usage(of: user, pools[0]) == [day(requests: 40, ended: 40)])
                }
            }
        }
    }
}
