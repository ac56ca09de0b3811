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
    }

    private let state = Mutex(State())

    package init() {}

    package func contains(_ account: AccountID) -> Bool { state.withLock { $0.accounts.contains(account) } }

    package func contains(_ key: APIKeyID) -> Bool { state.withLock { $0.keys.contains(key) } }

    /// True where the caller's account or key is withdrawn.
    package func covers(_ caller: Caller) -> Bool {
        state.withLock { state in
            caller.account.map { state.accounts.contains($0) } ?? false
                || caller.key.map { state.keys.contains($0) } ?? false
        }
    }

    package func withdraw(accounts: some Sequence<AccountID>, keys: some Sequence<APIKeyID>) {
        state.withLock { state in
            state.accounts.formUnion(accounts)
            state.keys.formUnion(keys)
        }
    }

    package func restore(_ accounts: some Sequence<AccountID>) {
        state.withLock { $0.accounts.subtract(accounts) }
    }
}
