package import Shared

/// Tells which credentials were withdrawn: those of disabled or erased accounts, and revoked API keys.
package protocol AccessChanges: Sendable {
    /// Everything that changed at or after `time` by the store's clock; all that is withdrawn now where `time` is nil.
    ///
    /// A change may be reported more than once.
    func changes(since time: Timestamp?) async throws(RepositoryFailure) -> AccessChangeList
}

/// What is stored for ``AccessChanges`` alone.
package protocol WithdrawalHistory: Sendable {
    /// Deletes revoked API keys and the digests of erased accounts, if withdrawn before `time`: no token or ticket that
    /// belongs to them lives any more.
    func deleteWithdrawn(before time: Timestamp) async throws(RepositoryFailure)
}

package struct AccessChangeList: Sendable, Equatable {
    /// Accounts that are disabled, or whose erasure has begun.
    package var disabled: [AccountID]
    /// Accounts that were enabled again.
    package var enabled: [AccountID]
    package var revokedKeys: [APIKeyID]
    /// Accounts that were erased lately, as the SHA-256 digests of their ids' texts: no id of an erased account is stored.
    package var erased: [Fingerprint]
    /// Where to go on: a little before the store's time, because concurrent transactions may commit late.
    package var nextTime: Timestamp

    package init(
        disabled: [AccountID],
        enabled: [AccountID],
        revokedKeys: [APIKeyID],
        erased: [Fingerprint] = [],
        nextTime: Timestamp
    ) {
        self.disabled = disabled
        self.enabled = enabled
        self.revokedKeys = revokedKeys
        self.erased = erased
        self.nextTime = nextTime
    }
}
