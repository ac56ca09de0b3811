package import Application
package import Domain
package import Shared
internal import Synchronization

/// Accounts, sessions, API keys and usage in memory, with the promises of the ports; the conformance suites compare it with
/// PostgreSQL.
package final class InMemoryAccounts: Sendable {
    struct State {
        var isAway = false
        var accounts: [AccountID: Account] = [:]
        var hashes: [AccountID: PasswordHash] = [:]
        var sessions: [SessionID: Session] = [:]
        var keys: [APIKeyID: (key: APIKey, secret: Fingerprint)] = [:]
        var revokedKeys: Set<APIKeyID> = []
        var erasing: Set<AccountID> = []
        var isErasureInterrupted = false
        var usage: [UserID: [UsageDay]] = [:]

        func account(_ id: AccountID) -> Account? { erasing.contains(id) ? nil : accounts[id] }
    }

    struct Session {
        let account: AccountID
        let expiresAt: Timestamp
        var current: Fingerprint
        var spent: (token: Fingerprint, at: Timestamp, isRepeated: Bool)?
        var void: Set<Fingerprint> = []
        var isRevoked = false
    }

    let state = Mutex(State())

    package init() {}

    /// Makes every call fail as unavailable.
    package var isAway: Bool {
        get { state.withLock { $0.isAway } }
        set { state.withLock { $0.isAway = newValue } }
    }

    /// Makes erasures stop after their beginning.
    package func interruptErasures() { state.withLock { $0.isErasureInterrupted = true } }

    /// Stores what was used.
    package func setUsage(_ days: [UsageDay], of user: UserID) { state.withLock { $0.usage[user] = days } }

    /// Stores an account and, where it has a password, its digest.
    package func put(_ account: Account, _ hash: PasswordHash? = nil) {
        state.withLock { state in
            state.accounts[account.id] = account
            state.hashes[account.id] = hash
        }
    }

    package func account(_ id: AccountID) -> Account? { state.withLock { $0.account(id) } }
    package func hash(of id: AccountID) -> PasswordHash? { state.withLock { $0.hashes[id] } }

    /// The sessions that can be refreshed.
    package func livingSessions(of id: AccountID) -> Set<SessionID> {
        state.withLock { state in
            Set(state.sessions.filter { $0.value.account == id && !$0.value.isRevoked }.keys)
        }
    }

    func reach<Value: Sendable>(_ body: (inout State) -> Value) throws(RepositoryFailure) -> Value {
        let value: Value? = state.withLock { state in state.isAway ? nil : body(&state) }
        guard let value else { throw .unavailable }
        return value
    }
}

extension InMemoryAccounts: AccountRepository {
    package func add(_ account: Account, _ hash: PasswordHash) async throws(AccountAdditionFailure) {
        let isAdded: Bool
        do {
            isAdded = try reach { state in
                if let holder = state.accounts.values.first(where: { $0.email == account.email }) {
                    // Its own: the call is repeated.
                    return holder.id == account.id
                }
                guard state.accounts[account.id] == nil else { return false }
                state.accounts[account.id] = account
                state.hashes[account.id] = hash
                return true
            }
        } catch {
            throw .unavailable
        }
        guard isAdded else { throw .emailTaken }
    }

    package func find(_ id: AccountID) async throws(RepositoryFailure) -> Account? {
        try reach { $0.account(id) }
    }

    package func passwordAccount(_ email: EmailAddress) async throws(RepositoryFailure) -> PasswordAccount? {
        try reach { state in
            let found = state.accounts.values.first { $0.email == email }
            return found.flatMap { Self.passwordAccount($0.id, state) }
        }
    }

    package func passwordAccount(_ id: AccountID) async throws(RepositoryFailure) -> PasswordAccount? {
        try reach { Self.passwordAccount(id, $0) }
    }

    private static func passwordAccount(_ id: AccountID, _ state: State) -> PasswordAccount? {
        guard let account = state.account(id), let hash = state.hashes[id] else { return nil }
        return PasswordAccount(account: account, hash: hash)
    }

    package func issuerAccount(orAdd fresh: Account) async throws(RepositoryFailure) -> Account {
        try reach { state in
            if let known = state.accounts.values.first(where: { $0.origin == fresh.origin }) { return known }
            state.accounts[fresh.id] = fresh
            return fresh
        }
    }

    package func list(
        email: String?,
        after place: AccountID?,
        limit: Int
    ) async throws(RepositoryFailure) -> [Account] {
        try reach { state in
            let all = state.accounts.keys.compactMap { state.account($0) }.sorted { "\($0.id)" > "\($1.id)" }
            let wanted = all.filter { account in
                email.map { account.email?.canonical.contains($0) ?? false } ?? true
            }
            return Array(wanted.filter { account in place.map { "\(account.id)" < "\($0)" } ?? true }.prefix(limit))
        }
    }

    package func change(_ id: AccountID, _ change: AccountChange) async throws(RepositoryFailure) -> Account? {
        try reach { state in
            guard var account = state.account(id) else { return nil }
            if let name = change.displayName { account.displayName = name.text }
            if let roles = change.roles { account.roles = roles }
            if let isDisabled = change.isDisabled { account.isDisabled = isDisabled }
            state.accounts[id] = account
            return account
        }
    }

    package func replacePasswordHash(
        of id: AccountID,
        _ former: PasswordHash?,
        by hash: PasswordHash
    ) async throws(RepositoryFailure) -> Bool {
        try reach { state in
            guard let present = state.hashes[id], state.account(id) != nil,
                former == nil || former == present || hash == present
            else { return false }
            state.hashes[id] = hash
            return true
        }
    }
}

extension InMemoryAccounts: UsageRepository {
    package func days(
        of user: UserID,
        in range: ClosedRange<UTCDay>
    ) async throws(RepositoryFailure) -> [UsageDay] {
        try reach { state in (state.usage[user] ?? []).filter { range.contains($0.day) }.sorted { $0.day < $1.day } }
    }
}

extension InMemoryAccounts: AccountErasure {
    package func begin(_ account: AccountID, at time: Timestamp) async throws(RepositoryFailure) -> Bool {
        try reach { state in
            guard state.accounts[account] != nil else { return false }
            state.erasing.insert(account)
            state.accounts[account]?.email = nil
            state.sessions = state.sessions.filter { $0.value.account != account }
            state.keys = state.keys.filter { $0.value.key.owner != account }
            return true
        }
    }

    package func pending() async throws(RepositoryFailure) -> [AccountID] { try reach { Array($0.erasing) } }

    package func resume(_ account: AccountID) async throws(RepositoryFailure) {
        let isComplete = try reach { state in
            guard !state.isErasureInterrupted else { return false }
            state.accounts[account] = nil
            state.hashes[account] = nil
            state.usage = state.usage.filter { $0.key.account != account }
            state.erasing.remove(account)
            return true
        }
        guard isComplete else { throw .unavailable }
    }
}
