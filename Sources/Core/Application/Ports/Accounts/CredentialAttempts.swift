package import Domain

/// Limits the attempts to prove an identity by the password of one account, counted in all replicas together, so that
/// many addresses together cannot guess faster than one.
///
/// Addresses without an account are counted alike: the limit does not tell which accounts exist.
package protocol CredentialAttempts {
    /// Counts one attempt before the password is verified; `address` is the client's.
    func admit(_ email: EmailAddress, from address: String) async throws(CredentialAttemptFailure)
}

package enum CredentialAttemptFailure: Error, Equatable {
    case tooMany(LimitReached)
    case unavailable
}
