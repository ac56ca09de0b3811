package import Domain
package import Shared

/// The permanent storage of API keys, of whose secrets only digests are stored.
package protocol APIKeyRepository: Sendable {
    func add(_ key: APIKey, secret: Fingerprint) async throws(RepositoryFailure)
    /// The keys of an account that are not revoked, the newest first; at most ``APIKeyRules/keysMax``.
    func list(of account: AccountID) async throws(RepositoryFailure) -> [APIKey]
    /// Revokes a key for good; nil where there is no such key, or it is another account's than `owner` (nil: any).
    func revoke(_ id: APIKeyID, of owner: AccountID?, at time: Timestamp) async throws(RepositoryFailure) -> APIKey?
    /// The key with this digest and its account, whatever the state of the account; nil for an unknown or revoked key.
    func find(secret: Fingerprint) async throws(RepositoryFailure) -> OwnedKey?
    /// Notes when keys were last used; an earlier time than the stored one is ignored.
    func noteUse(_ times: [APIKeyID: Timestamp]) async throws(RepositoryFailure)
}

/// A key with the account that it belongs to.
package struct OwnedKey: Sendable, Equatable {
    package let key: APIKey
    package let account: Account

    package init(key: APIKey, account: Account) {
        self.key = key
        self.account = account
    }
}

package enum APIKeyRules {
    /// The keys that an account may have at a time.
    package static let keysMax = 100
}
