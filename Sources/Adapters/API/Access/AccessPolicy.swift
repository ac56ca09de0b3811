internal import Domain
internal import Shared

/// Which callers a route admits.
enum AccessPolicy: Equatable {
    /// Every client; credentials are not read, and the caller is ``Caller/anonymous``.
    case open
    /// Every client without an API key (403), valid or not; other credentials are not read, because a client may send an
    /// expired access token with its refresh token.
    case withoutKey
    /// The same; the caller is an administrator where an access token proves it, by the roles of this moment, else
    /// ``Caller/anonymous``.
    case withoutKeyOrAdmin
    /// A user, identified by the `Authorization` header; an API key needs one of `scopes`.
    case caller(scopes: Set<KeyScope>)
    /// The same, or the holder of a ticket (`?ticket=`) for the stream that the path names: a browser's `EventSource`
    /// cannot send a header.
    case ticketOrCaller(scopes: Set<KeyScope>)
    /// A user with an access token, or ``Caller/anonymous`` where no token is required: not an API key (403).
    case person
    /// A user with an access token: not an API key (403), nor ``Caller/anonymous`` (401).
    case account
    /// The same with the role `admin`, read again for each request, so that a role that was taken has no effect any more.
    case admin
}

extension AccessPolicy {
    /// True where the `Authorization` header alone can identify the caller.
    var needsAuthorization: Bool {
        switch self {
        case .open, .withoutKey, .withoutKeyOrAdmin, .ticketOrCaller: false
        case .caller, .person, .account, .admin: true
        }
    }

    /// Throws a 401 or 403 for a caller that the route does not admit, whatever the caller's roles are now.
    func check(_ caller: Caller) throws(APIProblem) {
        switch self {
        case .open, .withoutKey, .withoutKeyOrAdmin: return
        case .caller(let scopes), .ticketOrCaller(let scopes):
            guard scopes.isDisjoint(with: caller.scopes) else { return }
            let names = scopes.sorted().map(\.rawValue).joined(separator: " or ")
            throw APIProblem(.forbidden, "The API key needs the scope \(names).")
        case .person, .account, .admin:
            switch caller.credential {
            case .accessToken: return
            case .apiKey, .ticket: throw .keyForbidden
            case .none:
                guard self != .person else { return }
                throw .unauthenticated("invalid_request", "This needs an access token: Authorization: Bearer <token>.")
            }
        }
    }
}

extension APIProblem {
    static var keyForbidden: APIProblem {
        APIProblem(.forbidden, "An API key is not allowed here. Sign in and use an access token.")
    }

    static var adminOnly: APIProblem { APIProblem(.forbidden, "Only administrators are allowed here.") }
}
