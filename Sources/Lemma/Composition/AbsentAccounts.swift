import API
import Application
import Domain
import Shared

// Stands for the adapters of accounts until they are merged: every call fails as unavailable.

struct AbsentAccounts: AccountRepository, SessionRepository, APIKeyRepository, UsageRepository, AccessChanges,
    AccountErasure, PasswordHashing, CredentialAttempts
{
    func add(_ account: Account, _ hash: PasswordHash) async throws(AccountAdditionFailure) { throw .unavailable }
    func find(_ id: AccountID) async throws(RepositoryFailure) -> Account? { throw .unavailable }
    func passwordAccount(_ email: EmailAddress) async throws(RepositoryFailure) -> PasswordAccount? {
        throw .unavailable
    }
    func passwordAccount(_ id: AccountID) async throws(RepositoryFailure) -> PasswordAccount? { throw .unavailable }
    func issuerAccount(orAdd fresh: Account) async throws(RepositoryFailure) -> Account { throw .unavailable }
    func list(email: String?, after place: AccountID?, limit: Int) async throws(RepositoryFailure) -> [Account] {
        throw .unavailable
    }
    func change(_ id: AccountID, _ change: AccountChange) async throws(RepositoryFailure) -> Account? {
        throw .unavailable
    }
    func replacePasswordHash(
        of id: AccountID,
        _ former: PasswordHash?,
        by hash: PasswordHash
    ) async throws(RepositoryFailure) -> Bool { throw .unavailable }

    func begin(
        _ id: SessionID,
        of account: AccountID,
        token: Fingerprint,
        at time: Timestamp,
        expiresAt: Timestamp
    ) async throws(RepositoryFailure) { throw .unavailable }
    func rotate(
        _ id: SessionID,
        presented: Fingerprint,
        next: Fingerprint,
        at time: Timestamp,
        repeatTime: Duration
    ) async throws(RepositoryFailure) -> RotationResult { throw .unavailable }
    func revoke(_ id: SessionID, presented: Fingerprint) async throws(RepositoryFailure) -> AccountID? {
        throw .unavailable
    }
    func revokeAll(of account: AccountID, but exception: SessionID?) async throws(RepositoryFailure) {
        throw .unavailable
    }
    func deleteEnded(before time: Timestamp, limit: Int) async throws(RepositoryFailure) { throw .unavailable }

    func add(_ key: APIKey, secret: Fingerprint) async throws(RepositoryFailure) { throw .unavailable }
    func list(of account: AccountID) async throws(RepositoryFailure) -> [APIKey] { throw .unavailable }
    func revoke(_ id: APIKeyID, of owner: AccountID?, at time: Timestamp) async throws(RepositoryFailure) -> APIKey? {
        throw .unavailable
    }
    func find(secret: Fingerprint) async throws(RepositoryFailure) -> OwnedKey? { throw .unavailable }
    func noteUse(_ times: [APIKeyID: Timestamp]) async throws(RepositoryFailure) { throw .unavailable }

    func days(of user: UserID, in range: ClosedRange<UTCDay>) async throws(RepositoryFailure) -> [UsageDay] {
        throw .unavailable
    }
    func changes(since time: Timestamp?) async throws(RepositoryFailure) -> AccessChangeList { throw .unavailable }
    func begin(_ account: AccountID, at time: Timestamp) async throws(RepositoryFailure) -> Bool { throw .unavailable }
    func pending() async throws(RepositoryFailure) -> [AccountID] { throw .unavailable }
    func resume(_ account: AccountID) async throws(RepositoryFailure) { throw .unavailable }

    func hash(_ password: Password) async throws(PasswordHashingFailure) -> PasswordHash { throw .busy }
    func verify(
        _ password: String,
        against hash: PasswordHash?
    ) async throws(PasswordHashingFailure) -> PasswordVerification { throw .busy }
    func admit(_ email: EmailAddress, from address: String) async throws(CredentialAttemptFailure) {
        throw .unavailable
    }
}

struct AbsentTokens: AccessTokenIssuer, CredentialMint {
    func issue(for account: Account, in session: SessionID) -> AccessToken { preconditionFailure("not merged yet") }
    func refreshToken(of session: SessionID) -> MintedCredential { preconditionFailure("not merged yet") }
    func readRefreshToken(_ text: String) -> (session: SessionID, digest: Fingerprint)? { nil }
    func apiKey() -> MintedCredential { preconditionFailure("not merged yet") }
}
