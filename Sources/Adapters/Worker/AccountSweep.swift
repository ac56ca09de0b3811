package import Application
package import EventLoop
package import Shared
package import Telemetry
internal import Time

/// Resumes the erasures of accounts that no replica works on, and deletes sessions and withdrawals that nothing needs any
/// more.
///
/// Every replica of the workers sweeps; PostgreSQL gives each erasure to one of them at a time. Loop-owned.
package final class AccountSweep {
    private static let period = Duration.seconds(5)
    private static let tidyPeriod = Duration.seconds(3600)
    /// Ended sessions deleted in one run.
    private static let sessionsMax = 10_000
    /// A day after its end a session is of no use to find out what happened.
    private static let sessionsAge = Duration.seconds(86_400)
    /// Longer than any token or ticket lives.
    private static let withdrawalsAge = Duration.seconds(40 * 86_400)

    private let loop: Loop
    private let erasure: any AccountErasure
    private let sessions: any SessionRepository
    private let withdrawals: any WithdrawalHistory
    private let clock: any WallClock
    private let logger: Logger
    private var tasks: [PeriodicTask] = []

    package init(
        loop: Loop,
        erasure: any AccountErasure,
        sessions: any SessionRepository,
        withdrawals: any WithdrawalHistory,
        clock: any WallClock,
        logger: Logger
    ) {
        self.loop = loop
        self.erasure = erasure
        self.sessions = sessions
        self.withdrawals = withdrawals
        self.clock = clock
        self.logger = logger
    }

    package func start() {
        tasks = [
            PeriodicTask(every: Self.period, on: loop, runsImmediately: true) { await self.resume() },
            PeriodicTask(every: Self.tidyPeriod, on: loop, runsImmediately: true) { await self.tidy() },
        ]
    }

    /// Idempotent; an erasure is left as it is, for another replica.
    package func close() {
        for task in tasks { task.cancel() }
        tasks = []
    }

    /// A later run repeats what fails.
    func resume() async {
        for account in (try? await erasure.pending()) ?? [] {
            do throws(RepositoryFailure) {
                try await erasure.resume(account)
                logger.info("account erased")
            } catch {
                // Its worker, the archive or a store was not there in time.
                logger.info("erasure of an account is not complete yet")
            }
        }
    }

    func tidy() async {
        let now = clock.now().milliseconds
        func moment(before age: Duration) -> Timestamp { Timestamp(milliseconds: now - age.wholeMilliseconds) }
        try? await sessions.deleteEnded(before: moment(before: Self.sessionsAge), limit: Self.sessionsMax)
        try? await withdrawals.deleteWithdrawn(before: moment(before: Self.withdrawalsAge))
    }
}
