package import Application
package import EventLoop
internal import Shared

/// Keeps ``WithdrawnAccess`` up to date with the database, by polling.
///
/// ```
///  disabled or erased account, revoked key ──► database ──0.5 s──► WithdrawnAccess ──1 s──► StreamRegistry of each loop
///                                                                       │                    ends streams and waits
///                                                                       └──► Authenticator: 401
/// ```
/// While the database is away, what was withdrawn so far stays withdrawn, and nothing new is known. One per process.
/// Loop-owned.
package final class AccessWatch {
    private static let period = Duration.milliseconds(500)

    private let changes: any AccessChanges
    private let withdrawn: WithdrawnAccess
    private let loop: Loop
    /// Nil before the first successful reading, which gives all that is withdrawn.
    private var since: Timestamp?
    private var task: PeriodicTask?

    package init(changes: any AccessChanges, withdrawn: WithdrawnAccess, loop: Loop) {
        self.changes = changes
        self.withdrawn = withdrawn
        self.loop = loop
    }

    package func start() {
        task = PeriodicTask(every: Self.period, on: loop) { await self.refresh() }
    }

    /// Reads the changes since the last successful reading.
    package func refresh() async {
        guard let list = try? await changes.changes(since: since) else { return }
        // A change can be reported more than once, so an account can be in both lists: it is withdrawn then.
        withdrawn.restore(list.enabled)
        withdrawn.withdraw(accounts: list.disabled, keys: list.revokedKeys)
        withdrawn.withdraw(erased: list.erased)
        since = list.nextTime
    }

    package func close() {
        task?.cancel()
        task = nil
    }
}
