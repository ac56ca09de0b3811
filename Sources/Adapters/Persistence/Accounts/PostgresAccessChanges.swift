package import Application
internal import Domain
package import PostgresClient
package import Shared

/// Withdrawn credentials in PostgreSQL, by the times at which its own clock saw them change.
package struct PostgresAccessChanges: AccessChanges, WithdrawalHistory {
    /// A change is visible when its transaction commits: at the latest this long after the time that it has.
    private static let commitDelay = Duration.seconds(10)

    private let database: PostgresDatabase

    package init(_ database: PostgresDatabase) { self.database = database }

    package func changes(since time: Timestamp?) async throws(RepositoryFailure) -> AccessChangeList {
        // The time comes first: what changes meanwhile is reported again.
        var calls = [Statements.time(.milliseconds(Self.commitDelay))]
        if let time {
            calls += [
                Statements.changedAccounts(.time(time)), Statements.revokedKeysSince(.time(time)),
                Statements.erasedSince(.time(time)),
            ]
        } else {
            calls += [Statements.withdrawnAccounts(), Statements.revokedKeys(), Statements.erased()]
        }
        let rows = try await database.query(calls)
        guard let nextTime = rows[0].first?.time(0) else { throw .unavailable }
        var changes = AccessChangeList(disabled: [], enabled: [], revokedKeys: [], nextTime: nextTime)
        for (account, isWithdrawn) in rows[1].map({ ($0.id(0, AccountID.self), $0.boolean(1) ?? true) }) {
            guard let account else { continue }
            if isWithdrawn { changes.disabled.append(account) } else { changes.enabled.append(account) }
        }
        changes.revokedKeys = rows[2].map { $0.id(0) }.compactMap(\.self)
        changes.erased = rows[3].map { $0.digest(0) }.compactMap(\.self)
        return changes
    }

    package func deleteWithdrawn(before time: Timestamp) async throws(RepositoryFailure) {
        _ = try await database.query([Statements.deleteKeys(.time(time)), Statements.deleteDigests(.time(time))])
    }

    enum Statements {
        static let time = PostgresStatement("SELECT clock_timestamp() - $1 * interval '1 millisecond'")
        static let changedAccounts = PostgresStatement(
            """
            SELECT id, disabled_at IS NOT NULL OR erasure_began_at IS NOT NULL FROM users
            WHERE access_changed_at >= $1
            """
        )
        static let revokedKeysSince = PostgresStatement("SELECT id FROM api_keys WHERE access_changed_at >= $1")
        static let erasedSince = PostgresStatement("SELECT digest FROM erased_accounts WHERE erased_at >= $1")
        static let withdrawnAccounts = PostgresStatement(
            "SELECT id, true FROM users WHERE disabled_at IS NOT NULL OR erasure_began_at IS NOT NULL"
        )
        static let revokedKeys = PostgresStatement("SELECT id FROM api_keys WHERE access_changed_at IS NOT NULL")
        static let erased = PostgresStatement("SELECT digest FROM erased_accounts")
        static let deleteKeys = PostgresStatement("DELETE FROM api_keys WHERE access_changed_at < $1")
        static let deleteDigests = PostgresStatement("DELETE FROM erased_accounts WHERE erased_at < $1")
    }
}
