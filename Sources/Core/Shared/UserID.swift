/// The owner of conversations and requests, as they are stored and compared on each access by id.
///
/// ```
///  account                        <account id>
///  end user of an account's keys  <account id>/<end user>
///  no account                     anonymous
/// ```
/// An end user belongs to the account, not to one of its keys, so that a new key finds what an old one has made.
package struct UserID: Sendable, Hashable, CustomStringConvertible {
    package let text: String

    /// A stored id.
    package init(_ text: String) { self.text = text }

    package init(_ account: AccountID) { text = account.description }

    /// `endUser` is what `X-End-User` names: 1 to 128 visible ASCII characters.
    package init(endUser: String, of account: AccountID) { text = "\(account)/\(endUser)" }

    package var description: String { text }

    /// The account that the user is, or that answers for the end user; nil for ``anonymous`` and for ids of other forms.
    package var account: AccountID? { AccountID(text.prefix { $0 != "/" }) }

    /// The user of a request without a token, if none is required.
    package static let anonymous = UserID("anonymous")
}
