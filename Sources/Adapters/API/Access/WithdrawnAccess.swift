package import Application
internal import Cryptography
package import Shared
internal import Synchronization

/// The accounts and API keys whose access was withdrawn, as this process knows them: disabled and erased accounts, revoked
/// keys.
///
/// One per process, shared by all loops. It is empty until its first update, and at most one period of the access watch
/// behind the database.
package final class WithdrawnAccess: Sendable {
    private struct State {
        var accounts: Set<AccountID> = []
        var keys: Set<APIKeyID> = []
        var changes = 0
        /// Digests of the ids of accounts that do not exist any more; their tokens may not have expired.
        var erased: Set<Fingerprint> = []

        func contains(_ account: AccountID) -> Bool {
            accounts.contains(account) || !erased.isEmpty && erased.contains(WithdrawnAccess.digest(account))
        }
    }

    private let state = Mutex(State())

    package init() {}

    package func contains(_ account: AccountID) -> Bool { state.withLock { $0.contains(account) } }

    package func contains(_ key: APIKeyID) -> Bool { state.withLock { $0.keys.contains(key) } }

    /// True where the caller's account or key is withdrawn.
    package func covers(_ caller: Caller) -> Bool { covers(caller.access) }

    package func covers(_ access: CallerAccess) -> Bool {
        state.withLock { state in
            access.account.map { state.contains($0) } ?? false
                || access.key.map { state.keys.contains($0) } ?? false
        }
    }

    /// Grows with each withdrawal.
    var changes: Int { state.withLock { $0.changes } }

    package func withdraw(accounts: some Sequence<AccountID>, keys: some Sequence<APIKeyID>) {
        state.withLock { state in
            let before = state.accounts.count + state.keys.count
            state.accounts.formUnion(accounts)
            state.keys.formUnion(keys)
            if state.accounts.count + state.keys.count != before { state.changes += 1 }
        }
    }

    /// Withdraws the accounts whose ids have these digests; see ``AccessChangeList/erased``.
    package func withdraw(erased: some Sequence<Fingerprint>) {
        state.withLock { state in
            let before = state.erased.count
            state.erased.formUnion(erased)
            if state.erased.count != before { state.changes += 1 }
        }
    }

    private static func digest(_ account: AccountID) -> Fingerprint {
        Fingerprint(Array(SHA256.digest(account.description.utf8)))
    }

    package func restore(_ accounts: some Sequence<AccountID>) {
        state.withLock { $0.accounts.subtract(accounts) }
    }
}
