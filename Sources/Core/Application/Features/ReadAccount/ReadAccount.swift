package import Domain
package import Shared

/// Reads an account with its limits and what it has used today.
package struct ReadAccount: Query {
    package let account: AccountID

    package init(account: AccountID) { self.account = account }

    package struct Output: Sendable {
        package let account: Account
        package let limits: UserLimits
        package let today: UsageDay
    }

    package enum Failure: Error, Equatable {
        case notFound
        case unavailable
    }
}

package struct ReadAccountHandler: QueryHandler {
    private let accounts: any AccountRepository
    private let usage: any UsageRepository
    private let limits: UserLimits
    private let clock: any WallClock

    package init(
        accounts: any AccountRepository,
        usage: any UsageRepository,
        limits: UserLimits,
        clock: any WallClock
    ) {
        self.accounts = accounts
        self.usage = usage
        self.limits = limits
        self.clock = clock
    }

    package func handle(_ query: ReadAccount) async throws(ReadAccount.Failure) -> ReadAccount.Output {
        let today = UTCDay(of: clock.now())
        let account: Account?
        let used: [UsageDay]
        do {
            account = try await accounts.find(query.account)
            used = try await usage.days(of: UserID(query.account), in: today...today)
        } catch {
            throw .unavailable
        }
        guard let account else { throw .notFound }
        let none = UsageDay(day: today, requests: 0, inputTokens: 0, outputTokens: 0)
        return ReadAccount.Output(account: account, limits: limits, today: used.first ?? none)
    }
}
