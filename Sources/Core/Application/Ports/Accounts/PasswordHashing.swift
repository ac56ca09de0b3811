package import Domain

/// Hashes passwords slowly, in memory that an attacker has to have as well, on threads beside the loops.
package protocol PasswordHashing: Sendable {
    func hash(_ password: Password) async throws(PasswordHashingFailure) -> PasswordHash
    /// Compares a password with a digest. Takes as long for a nil digest, which no password matches, so that the time does
    /// not tell whether there is an account.
    func verify(
        _ password: String,
        against hash: PasswordHash?
    ) async throws(PasswordHashingFailure)
        -> PasswordVerification
}

/// The digest of a password, with algorithm, parameters and salt, as the algorithm's text form.
package struct PasswordHash: Sendable, Equatable, CustomStringConvertible {
    package let text: String
    package init(_ text: String) { self.text = text }
    package var description: String { "***" }
}

package enum PasswordVerification: Sendable, Equatable {
    /// With `needsRehash` the digest was made with other parameters than today's.
    case matches(needsRehash: Bool)
    case differs
}

package enum PasswordHashingFailure: Error, Equatable {
    /// Too many passwords wait to be hashed; the client may retry later.
    case busy
}
