import AccountSupport
import Application
import Domain
import Shared
import TestSupport
import Testing

@Suite("Usage", .tags(.unit))
struct UsageTests {
    /// Noon of 2026-11-30.
    private let clock = SettableClock(Timestamp(milliseconds: 1_796_040_000_000))
    private let accounts = InMemoryAccounts()
    private let user = UserID("ada")

    private func days(_ from: String?, _ to: String?) async throws(ReadUsage.Failure) -> [String] {
        try await ReadUsageHandler(usage: accounts, clock: clock)
            .handle(ReadUsage(user: user, from: from, to: to)).map { "\($0.day)" }
    }

    @Test(
        "a range is the last thirty days, or what is asked for",
        arguments: [
            (nil, nil, "2026-11-01", "2026-11-30"), ("2026-11-29", nil, "2026-11-29", "2026-11-30"),
            (nil, "2026-03-01", "2026-01-31", "2026-03-01"), ("2024-02-29", "2024-02-29", "2024-02-29", "2024-02-29"),
            ("2025-11-30", "2026-11-30", "2025-11-30", "2026-11-30"), ("2027-01-05", nil, "2027-01-05", "2027-01-05"),
        ] as [(String?, String?, String, String)]
    )
    func ranges(from: String?, to: String?, first: String, last: String) async throws {
        let (begin, end) = (try #require(UTCDay(first)), try #require(UTCDay(last)))
        let used = (begin.number - 1...end.number + 1).map { number in
            UsageDay(day: UTCDay(number: number), requests: 1, inputTokens: 2, outputTokens: 3)
        }
        accounts.setUsage(used, of: user)
        let found = try await days(from, to)
        #expect(found.first == first && found.last == last && found.count == end.number - begin.number + 1)
    }

    @Test(
        "a day that is none, a reversed range and one of more than 366 days are mistakes",
        arguments: [
            ("2026-02-29", nil, ["from"]), ("x", "y", ["from", "to"]), ("", nil, ["from"]), (nil, "2026-1-1", ["to"]),
            ("2026-11-02", "2026-11-01", ["from"]), ("2025-11-29", "2026-11-30", ["from"]),
        ] as [(String?, String?, [String])]
    )
    func mistakes(from: String?, to: String?, fields: [String]) async throws {
        do {
            _ = try await days(from, to)
            Issue.record("accepted")
        } catch {
            guard case .invalid(let failure) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(failure.errors.map(\.field) == fields)
        }
    }

    @Test("an account is read with its limits and today's usage, zero without any")
    func today() async throws {
        let bench = AccountBench()
        let account = try await bench.registered()
        let limits = UserLimits(requestsPerMinute: 60, maxActive: 4, tokensPerDay: nil)
        let handler = ReadAccountHandler(
            accounts: bench.accounts,
            usage: bench.accounts,
            limits: limits,
            clock: bench.clock,
        )
        let query = ReadAccount(account: account.id)
        #expect(try await handler.handle(query).today.requests == 0)
        let today = UTCDay(of: bench.clock.now())
        let used = UsageDay(day: today, requests: 3, inputTokens: 5, outputTokens: 7)
        let before = UsageDay(day: today.advanced(by: -1), requests: 9, inputTokens: 9, outputTokens: 9)
        bench.accounts.setUsage([before, used], of: UserID(account.id))
        let output = try await handler.handle(query)
        #expect(output.today == used && output.account == account && output.limits == limits)
        let stranger = AccountID(bits: UUIDBits(high: 0x7000, low: 2))
        await #expect(throws: ReadAccount.Failure.notFound) {
            _ = try await handler.handle(ReadAccount(account: stranger))
        }
    }
}
