package import Shared

/// A registered user, or a user of an external issuer.
package struct Account: Sendable, Equatable {
    package let id: AccountID
    /// Nil for a user of an issuer, whose address Lemma does not need.
    package var email: EmailAddress?
    package var displayName: String?
    package var roles: Set<Role>
    /// Who proves the user's identity.
    package let origin: Origin
    /// A disabled account's credentials are rejected everywhere.
    package var isDisabled: Bool
    package let createdAt: Timestamp

    package enum Origin: Sendable, Equatable {
        /// Lemma itself, by e-mail address and password.
        case password
        /// The user `subject` of `issuer` (OpenID Connect Core 1.0, section 2: unique as a pair).
        case issuer(String, subject: String)
    }

    package init(
        id: AccountID,
        email: EmailAddress?,
        displayName: String?,
        roles: Set<Role>,
        origin: Origin,
        isDisabled: Bool,
        createdAt: Timestamp
    ) {
        self.id = id
        self.email = email
        self.displayName = displayName
        self.roles = roles
        self.origin = origin
        self.isDisabled = isDisabled
        self.createdAt = createdAt
    }
}
