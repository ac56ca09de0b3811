package import Domain
package import Shared

/// Verifies access tokens: those of Lemma's own, and those of the configured issuers.
///
/// Knows nothing of accounts: whether one is disabled is checked by the caller.
package protocol AccessTokenVerifier: Sendable {
    /// Verifies a token by what the process knows; does not wait.
    func check(_ token: String) -> AccessTokenCheck
    /// Verifies a token; asks its issuer for the present keys where the process does not know the token's.
    func verify(_ token: String) async throws(AccessTokenFailure) -> VerifiedToken
}

/// What a token is worth by what the process knows.
package enum AccessTokenCheck: Sendable, Equatable {
    case valid(VerifiedToken)
    case invalid(AccessTokenFault)
    /// The issuer may have a new key.
    case undecided
}

/// What a valid token says.
package struct VerifiedToken: Sendable, Equatable {
    package enum Subject: Sendable, Hashable {
        /// An account, in the session of a login.
        case account(AccountID, SessionID)
        /// A user of an external issuer.
        case issuer(String, subject: String)
    }

    package let subject: Subject
    /// Always with ``Role/student``.
    package let roles: Set<Role>

    package init(subject: Subject, roles: Set<Role>) {
        self.subject = subject
        self.roles = roles.union([.student])
    }
}

package enum AccessTokenFailure: Error, Equatable {
    case invalid(AccessTokenFault)
    /// The issuer cannot be reached, and the token's key is not known; the client may retry.
    case keysUnavailable
}

/// Why a token was rejected: the first fault that was found.
package enum AccessTokenFault: Error, Sendable, Equatable, CaseIterable {
    /// More than 8 KiB.
    case tooLong
    /// Not three segments in base64url, of which the first two are JSON objects without repeated members.
    case malformed
    /// A header member that is not allowed, such as `crit` or `jku`.
    case header
    /// Another kind of token, by `typ`.
    case kind
    /// Another algorithm than the configured ones.
    case algorithm
    case issuer
    /// No key of the issuer has the token's `kid`, or it names none where there are several.
    case key
    case signature
    /// The token is for another service.
    case audience
    case expired
    case notYetValid
    /// A member that is needed is missing, or has another form than expected.
    case claims
}
