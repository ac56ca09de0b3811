package import Domain
package import Shared

/// The permanent storage of accounts.
///
/// An account whose erasure has begun does not exist for any call here but those of ``AccountErasure``. After
/// ``RepositoryFailure/unavailable`` the caller may retry, unless a method says otherwise.
package protocol AccountRepository: Sendable {
    /// Stores a new account with the digest of its password.
    func add(_ account: Account, _ hash: PasswordHash) async throws(AccountAdditionFailure)
    func find(_ id: AccountID) async throws(RepositoryFailure) -> Account?
    /// The account of an e-mail address, disabled or not, with its password's digest.
    func passwordAccount(_ email: EmailAddress) async throws(RepositoryFailure) -> PasswordAccount?
    /// The same by id; nil also for an account without a password.
    func passwordAccount(_ id: AccountID) async throws(RepositoryFailure) -> PasswordAccount?
    /// The account of an issuer's user, created as `fresh` where there is none; idempotent by issuer and subject.
    func issuerAccount(orAdd fresh: Account) async throws(RepositoryFailure) -> Account
    /// Up to `limit` accounts after `place`, the newest first; with `email` only those whose address contains it, in lower
    /// case.
    func list(email: String?, after place: AccountID?, limit: Int) async throws(RepositoryFailure) -> [Account]
    /// Changes what `change` names and returns the account; nil where there is no such account.
    func change(_ id: AccountID, _ change: AccountChange) async throws(RepositoryFailure) -> Account?
    /// Replaces the password's digest; false where the account's digest is neither `former` nor `hash` already.
    ///
    /// A nil `former` replaces any.
    func replacePasswordHash(
        of id: AccountID,
        _ former: PasswordHash?,
        by hash: PasswordHash
    ) async throws(RepositoryFailure) -> Bool
}

/// An account with the digest of its password.
package struct PasswordAccount: Sendable {
    package let account: Account
    package let hash: PasswordHash

    package init(account: Account, hash: PasswordHash) {
        self.account = account
        self.hash = hash
    }
}

/// What to change of an account; nil leaves a member as it is.
package struct AccountChange: Sendable {
    package var displayName: DisplayName?
    package var roles: Set<Role>?
    package var isDisabled: Bool?

    package init(displayName: DisplayName? = nil, roles: Set<Role>? = nil, isDisabled: Bool? = nil) {
        self.displayName = displayName
        self.roles = roles
        self.isDisabled = isDisabled
    }
}

package enum AccountAdditionFailure: Error, Equatable {
    /// Another account has the e-mail address.
    case emailTaken
    case unavailable
}
