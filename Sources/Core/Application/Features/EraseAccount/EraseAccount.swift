package import Shared

/// Erases an account whose erasure has begun; see ``AccountErasure``.
///
/// A failure leaves it half done; a repetition completes it.
package struct EraseAccount: Command {
    package let account: AccountID

    package init(account: AccountID) { self.account = account }

    package typealias Output = Void

    package typealias Failure = RepositoryFailure
}
