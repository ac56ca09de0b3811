package import Domain
package import Shared

/// Who a request acts for: made by the pipeline, and all that a handler knows of its caller.
package struct Caller: Sendable, Equatable {
    /// How the caller was identified.
    package enum Credential: Sendable, Equatable {
        /// Not at all: none is required, or the route is open.
        case none
        /// By the ticket of one stream, which proves that the server accepted this request once; with the API key that
        /// submitted it.
        case ticket(key: APIKeyID?)
        /// By an access token; `session` is nil for a token of an external issuer.
        case accessToken(session: SessionID?)
        /// By an API key, with its own limits.
        case apiKey(APIKeyID, KeyLimits)
    }

    /// The owner of what the caller makes and sees: the account, or the end user that an API key acts for.
    package let user: UserID
    /// Nil for ``anonymous`` and for the holder of a ticket without an account.
    package let account: AccountID?
    package let roles: Set<Role>
    /// All of them but for an API key with fewer.
    package let scopes: Set<KeyScope>
    package let credential: Credential

    package init(
        user: UserID,
        account: AccountID?,
        roles: Set<Role>,
        scopes: Set<KeyScope>,
        credential: Credential
    ) {
        self.user = user
        self.account = account
        self.roles = roles
        self.scopes = scopes
        self.credential = credential
    }

    /// The caller of a request without credentials where none are required, and of every request for an open route.
    package static let anonymous = Caller(
        user: .anonymous,
        account: nil,
        roles: [],
        scopes: Set(KeyScope.allCases),
        credential: .none,
    )

    /// The holder of a stream's ticket.
    package static func holder(ofTicketOf user: UserID, key: APIKeyID?) -> Caller {
        Caller(
            user: user,
            account: user.account,
            roles: [],
            scopes: [.read],
            credential: .ticket(key: key),
        )
    }

    /// What can be withdrawn while a response is under way.
    package var access: CallerAccess { CallerAccess(account: account, key: key) }

    /// True where a stream ticket identified the caller.
    package var hasTicket: Bool {
        if case .ticket = credential { true } else { false }
    }

    /// The API key behind the request, also where its ticket is used.
    package var key: APIKeyID? {
        switch credential {
        case .apiKey(let id, _): id
        case .ticket(let id): id
        case .none, .accessToken: nil
        }
    }
}

/// The account and the API key that a response depends on while it lasts.
package struct CallerAccess: Sendable, Equatable {
    /// Nil for ``Caller/anonymous``.
    package let account: AccountID?
    /// Nil without an API key.
    package let key: APIKeyID?

    package init(account: AccountID? = nil, key: APIKeyID? = nil) {
        self.account = account
        self.key = key
    }
}
