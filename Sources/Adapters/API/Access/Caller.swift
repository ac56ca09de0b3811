package import Shared

/// Who a request acts for: made by the pipeline, and all that a handler knows of its caller.
package struct Caller: Sendable, Equatable {
    package let user: UserID
    /// True where a stream ticket identified the caller: the ticket proves that the server accepted this request once.
    package let hasTicket: Bool

    package init(user: UserID, hasTicket: Bool) {
        self.user = user
        self.hasTicket = hasTicket
    }

    /// The caller of a request without credentials where none are required, and of every request for an open route.
    package static let anonymous = Caller(user: .anonymous, hasTicket: false)
}
