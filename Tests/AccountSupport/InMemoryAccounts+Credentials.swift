package import Application
package import Domain
package import Shared
internal import Synchronization

extension InMemoryAccounts: SessionRepository {
    package func begin(
        _ id: SessionID,
        of account: AccountID,
        token: Fingerprint,
        at time: Timestamp,
        expiresAt: Timestamp
    ) async throws(RepositoryFailure) {
        try reach { state in
            guard state.sessions[id] == nil, state.account(account) != nil else { return }
            state.sessions[id] = Session(account: account, expiresAt: expiresAt, current: token)
        }
    }

    package func rotate(
        _ id: SessionID,
        presented: Fingerprint,
        next: Fingerprint,
        at time: Timestamp,
        repeatTime: Duration
    ) async throws(RepositoryFailure) -> RotationResult {
        try reach { state in
            guard var session = state.sessions[id], !session.isRevoked, time < session.expiresAt,
                let account = state.account(session.account), !account.isDisabled,
                !session.void.contains(presented)
            else { return .invalid }
            defer { state.sessions[id] = session }
            if presented == session.current {
                session.spent = (presented, time, false)
                session.current = next
                return .rotated(account, expiresAt: session.expiresAt)
            }
            if let spent = session.spent, spent.token == presented, !spent.isRepeated, time - spent.at <= repeatTime {
                session.void.insert(session.current)
                session.spent?.isRepeated = true
                session.current = next
                return .rotated(account, expiresAt: session.expiresAt)
            }
            session.isRevoked = true
            return .reused(session.account)
        }
    }

    package func revoke(_ id: SessionID, presented: Fingerprint) async throws(RepositoryFailure) -> AccountID? {
        try reach { state in
            guard let session = state.sessions[id], !session.isRevoked,
                session.current == presented || session.spent?.token == presented
            else { return nil }
            state.sessions[id]?.isRevoked = true
            return session.account
        }
    }

    package func revokeAll(of account: AccountID, but exception: SessionID?) async throws(RepositoryFailure) {
        try reach { state in
            for (id, session) in state.sessions where session.account == account && id != exception {
                state.sessions[id]?.isRevoked = true
            }
        }
    }

    package func deleteEnded(before time: Timestamp, limit: Int) async throws(RepositoryFailure) {
        try reach { state in
            let ended = state.sessions.filter { $0.value.isRevoked || $0.value.expiresAt < time }.keys.prefix(limit)
            for id in ended { state.sessions[id] = nil }
        }
    }
}

extension InMemoryAccounts: APIKeyRepository {
    package func add(_ key: APIKey, secret: Fingerprint) async throws(RepositoryFailure) {
        try reach { $0.keys[key.id] = (key, secret) }
    }

    package func list(of account: AccountID) async throws(RepositoryFailure) -> [APIKey] {
        try reach { state in
            state.keys.values.map(\.key).filter { $0.owner == account && !state.revokedKeys.contains($0.id) }
                .sorted { "\($0.id)" > "\($1.id)" }
        }
    }

    package func revoke(
        _ id: APIKeyID,
        of owner: AccountID?,
        at time: Timestamp
    ) async throws(RepositoryFailure) -> APIKey? {
        try reach { state in
            guard let key = state.keys[id]?.key, owner == nil || owner == key.owner, !state.revokedKeys.contains(id)
            else { return nil }
            state.revokedKeys.insert(id)
            return key
        }
    }

    package func find(secret: Fingerprint) async throws(RepositoryFailure) -> OwnedKey? {
        try reach { state in
            guard let key = state.keys.values.first(where: { $0.secret == secret })?.key,
                !state.revokedKeys.contains(key.id), let account = state.account(key.owner)
            else { return nil }
            return OwnedKey(key: key, account: account)
        }
    }

    package func noteUse(_ times: [APIKeyID: Timestamp]) async throws(RepositoryFailure) {
        try reach { state in
            for (id, time) in times {
                guard let (key, secret) = state.keys[id] else { continue }
                let used = APIKey(
                    id: key.id,
                    owner: key.owner,
                    name: key.name,
                    scopes: key.scopes,
                    limits: key.limits,
                    actsForEndUsers: key.actsForEndUsers,
                    createdAt: key.createdAt,
                    expiresAt: key.expiresAt,
                    lastUsedAt: max(key.lastUsedAt ?? time, time),
                )
                state.keys[id] = (used, secret)
            }
        }
    }
}

extension InMemoryAccounts: AccessChanges {
    /// Reports everything each time, which the port allows.
    package func changes(since time: Timestamp?) async throws(RepositoryFailure) -> AccessChangeList {
        try reach { state in
            let disabled = state.accounts.values.filter { $0.isDisabled || state.erasing.contains($0.id) }.map(\.id)
            let enabled = state.accounts.keys.filter { !disabled.contains($0) }
            return AccessChangeList(
                disabled: disabled,
                enabled: time == nil ? [] : enabled,
                revokedKeys: Array(state.revokedKeys),
                nextTime: Timestamp(milliseconds: 0),
            )
        }
    }
}
