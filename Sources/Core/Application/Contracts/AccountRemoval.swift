package import Shared

/// Erases an account, as far as this call gets.
package struct AccountRemoval {
    private let erasure: any AccountErasure
    private let clock: any WallClock

    package init(erasure: any AccountErasure, clock: any WallClock) {
        self.erasure = erasure
        self.clock = clock
    }

    package enum Progress: Sendable, Equatable {
        /// Nothing of the account is left.
        case complete
        /// Its credentials are withdrawn; a sweep erases the rest.
        case begun
    }

    /// Nil where there is no such account.
    ///
    /// After ``RepositoryFailure/unavailable`` nothing has been erased.
    func remove(_ account: AccountID) async throws(RepositoryFailure) -> Progress? {
        guard try await erasure.begin(account, at: clock.now()) else { return nil }
        do {
            try await erasure.resume(account)
            return .complete
        } catch {
            return .begun
        }
    }
}
