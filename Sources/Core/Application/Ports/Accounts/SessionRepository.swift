package import Domain
package import Shared

/// The permanent storage of sessions: each is a family of refresh tokens, of which only digests are stored.
///
/// ```
///  presented                                      result              the family then
///  current token                                  rotated             next is current, presented is spent
///  spent token, once more within the repeat time  rotated             next is current, the one given first is void
///  spent token, later or a third time             reused              revoked
///  a token of the family from before              reused              revoked
///  void token                                     invalid             as before
///  any token of a revoked, expired or unknown family, or of a disabled account   invalid
/// ```
/// One statement decides and writes, so that of two concurrent presentations one is the first.
package protocol SessionRepository: Sendable {
    /// Stores a new session whose current refresh token has the digest `token`.
    func begin(
        _ id: SessionID,
        of account: AccountID,
        token: Fingerprint,
        at time: Timestamp,
        expiresAt: Timestamp
    ) async throws(RepositoryFailure)
    /// Rotates the refresh token by the table above; `repeatTime` is how long a spent token may come once more.
    ///
    /// Not repeated after ``RepositoryFailure/unavailable``: whether it was rotated is unknown then.
    func rotate(
        _ id: SessionID,
        presented: Fingerprint,
        next: Fingerprint,
        at time: Timestamp,
        repeatTime: Duration
    ) async throws(RepositoryFailure) -> RotationResult
    /// Revokes the session whose current or spent token is `presented`; without effect for another token.
    func revoke(_ id: SessionID, presented: Fingerprint) async throws(RepositoryFailure) -> AccountID?
    /// Revokes every session of the account, but `exception`.
    func revokeAll(of account: AccountID, but exception: SessionID?) async throws(RepositoryFailure)
    /// Deletes sessions that expired or were revoked before `time`; at most `limit` in one call.
    func deleteEnded(before time: Timestamp, limit: Int) async throws(RepositoryFailure)
}

package enum RotationResult: Sendable, Equatable {
    case rotated(Account, expiresAt: Timestamp)
    /// The family was revoked by this call: an attacker or the client used a spent token again.
    case reused(AccountID)
    case invalid
}
