import Application
import Domain
import Shared
import Synchronization

/// Accounts in memory, as far as authentication reads them.
final class KnownAccounts: AccountRepository {
    private struct State {
        var accounts: [AccountID: Account] = [:]
        var isAway = false
        var lookups = 0
    }

    private let state = Mutex(State())

    var lookups: Int { state.withLock { $0.lookups } }

    func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }

    func put(_ account: Account) { state.withLock { $0.accounts[account.id] = account } }

    func remove(_ id: AccountID) { state.withLock { $0.accounts[id] = nil } }

    private func look<Value>(_ body: (inout State) -> Value) throws(RepositoryFailure) -> Value {
        let value: Value? = state.withLock { state in
            state.lookups += 1
            return state.isAway ? nil : body(&state)
        }
        guard let value else { throw .unavailable }
        return value
    }

    func find(_ id: AccountID) async throws(RepositoryFailure) -> Account? { try look { $0.accounts[id] } }

    func issuerAccount(orAdd fresh: Account) async throws(RepositoryFailure) -> Account {
        try look { state in
            if let known = state.accounts.values.first(where: { $0.origin == fresh.origin }) { return known }
            state.accounts[fresh.id] = fresh
            return fresh
        }
    }

    func add(_ account: Account, _ hash: PasswordHash) async throws(AccountAdditionFailure) { put(account) }

    func passwordAccount(_ email: EmailAddress) async throws(RepositoryFailure) -> PasswordAccount? { nil }

    func passwordAccount(_ id: AccountID) async throws(RepositoryFailure) -> PasswordAccount? { nil }

    func list(email: String?, after place: AccountID?, limit: Int) async throws(RepositoryFailure) -> [Account] { [] }

    func change(_ id: AccountID, _ change: AccountChange) async throws(RepositoryFailure) -> Account? { nil }

    func replacePasswordHash(
        of id: AccountID,
        _ former: PasswordHash?,
        by hash: PasswordHash
    ) async throws(RepositoryFailure) -> Bool { false }
}

/// API keys in memory, as far as authentication reads them.
final class KnownKeys: APIKeyRepository {
    private struct State {
        var keys: [Fingerprint: OwnedKey] = [:]
        var isAway = false
        var lookups = 0
        var uses: [APIKeyID: Timestamp] = [:]
    }

    private let state = Mutex(State())

    var lookups: Int { state.withLock { $0.lookups } }
    var uses: [APIKeyID: Timestamp] { state.withLock { $0.uses } }

    func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }

    func put(_ owned: OwnedKey, _ secret: Fingerprint) { state.withLock { $0.keys[secret] = owned } }

    func remove(_ secret: Fingerprint) { state.withLock { $0.keys[secret] = nil } }

    func find(secret: Fingerprint) async throws(RepositoryFailure) -> OwnedKey? {
        let (isAway, owned) = state.withLock { state in
            state.lookups += 1
            return (state.isAway, state.keys[secret])
        }
        guard !isAway else { throw .unavailable }
        return owned
    }

    func noteUse(_ times: [APIKeyID: Timestamp]) async throws(RepositoryFailure) {
        let isAway = state.withLock { state in
            if !state.isAway { state.uses.merge(times) { max($0, $1) } }
            return state.isAway
        }
        guard !isAway else { throw .unavailable }
    }

    func add(_ key: APIKey, secret: Fingerprint) async throws(RepositoryFailure) {}

    func list(of account: AccountID) async throws(RepositoryFailure) -> [APIKey] { [] }

    func revoke(_ id: APIKeyID, of owner: AccountID?, at time: Timestamp) async throws(RepositoryFailure) -> APIKey? {
        nil
    }
}
