package import Domain
package import Shared

/// What users used, by UTC day; the archive adds to it with each record.
package protocol UsageRepository: Sendable {
    /// The days of the range on which there was any use, the oldest first.
    func days(of user: UserID, in range: ClosedRange<UTCDay>) async throws(RepositoryFailure) -> [UsageDay]
}
