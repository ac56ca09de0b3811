package import Domain
package import Shared

/// Reads what a user used, by UTC day.
package struct ReadUsage: Query {
    package let user: UserID
    /// The first and the last day, such as `2026-11-01`; not validated yet.
    ///
    /// Without `to` the range ends today, without `from` it has ``ReadUsageValidator/daysStandard`` days.
    package let from: String?
    package let to: String?

    package init(user: UserID, from: String?, to: String?) {
        self.user = user
        self.from = from
        self.to = to
    }

    /// The days with any use, the oldest first.
    package typealias Output = [UsageDay]

    package enum Failure: Error, Equatable {
        case invalid(ValidationFailure)
        case unavailable
    }
}

package struct ReadUsageHandler: QueryHandler {
    private let usage: any UsageRepository
    private let clock: any WallClock

    package init(usage: any UsageRepository, clock: any WallClock) {
        self.usage = usage
        self.clock = clock
    }

    package func handle(_ query: ReadUsage) async throws(ReadUsage.Failure) -> [UsageDay] {
        let range: ClosedRange<UTCDay>
        do {
            range = try ReadUsageValidator(today: UTCDay(of: clock.now())).validate(query)
        } catch {
            throw .invalid(error)
        }
        do {
            return try await usage.days(of: query.user, in: range)
        } catch {
            throw .unavailable
        }
    }
}
