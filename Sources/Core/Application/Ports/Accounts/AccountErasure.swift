package import Shared

/// Erases accounts with everything that belongs to them, in PostgreSQL and in Redis.
///
/// An erasure is begun by one row and can be interrupted at any point: ``resume(_:)`` goes on, on any replica.
package protocol AccountErasure: Sendable {
    /// From its return on, the account does not exist for any other port; false where there is no such account.
    func begin(_ account: AccountID, at time: Timestamp) async throws(RepositoryFailure) -> Bool
    /// The erasures that have begun and are not complete.
    func pending() async throws(RepositoryFailure) -> [AccountID]
    /// Ends the account's running requests and erases conversations, requests, answers, sessions, keys and usage, those of
    /// its end users included; at last the account itself. Idempotent.
    func resume(_ account: AccountID) async throws(RepositoryFailure)
}
