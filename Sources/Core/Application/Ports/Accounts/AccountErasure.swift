package import Shared

/// Erases accounts with everything that belongs to them, in PostgreSQL and in Redis.
///
/// An erasure is begun by one row and can be interrupted at any point: ``resume(_:)`` goes on, on any replica, and a sweep
/// in the workers resumes what no replica works on. What is submitted with a credential that a replica does not yet know to be
/// withdrawn is erased when its records reach the archive.
package protocol AccountErasure {
    /// From its return on, the account does not exist for any other port. Idempotent until the erasure is complete; false
    /// where there is no such account.
    func begin(_ account: AccountID, at time: Timestamp) async throws(RepositoryFailure) -> Bool
    /// The erasures that have begun, are not complete, and that no replica has worked on for a while; they count as worked on
    /// from now on.
    func pending() async throws(RepositoryFailure) -> [AccountID]
    /// Ends the account's running requests and erases conversations, requests, answers, sessions, keys and usage, those of
    /// its end users included; at last the account itself. Idempotent.
    ///
    /// ``RepositoryFailure/unavailable`` also where a worker or the archive takes too long: the erasure has to be resumed.
    func resume(_ account: AccountID) async throws(RepositoryFailure)
}
