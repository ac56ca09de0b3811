package import Application
package import Domain
package import HTTPServer
package import Instrumentation
package import Shared
package import Telemetry

/// Verifies stream tickets, and rejects every access token: accounts, which issue them, do not exist yet.
package struct TokenAuthenticator: Authenticator {
    private let tokens: any TokenService
    private let isRequired: Bool
    private let failures: Counters<AuthenticationFailure>

    /// With `isRequired` false, a request without credentials acts as ``Caller/anonymous``.
    package init(tokens: any TokenService, isRequired: Bool, failures: Counters<AuthenticationFailure>) {
        self.tokens = tokens
        self.isRequired = isRequired
        self.failures = failures
    }

    package func precheck(_ head: HTTPRequest) throws(APIProblem) { _ = try caller(of: head) }

    /// A wrong token is an error also where none is required: the client believes that it acts as a user.
    ///
    /// Credentials without the form of a token of Lemma's are ignored there: a proxy's Basic credentials, or the key
    /// that an SDK insists on sending.
    package func caller(of request: HTTPRequest) throws(APIProblem) -> Caller {
        switch Credential(request.headers["Authorization"]) {
        case let credential? where credential == .token || credential == .otherToken && isRequired:
            failures[.invalidToken].increment()
            throw .unauthenticated("invalid_token", "The access token is not valid. Sign in again.")
        case .otherScheme where isRequired:
            failures[.malformed].increment()
            throw .unauthenticated("invalid_request", "Authorization must be of the form: Bearer <token>.")
        case nil where isRequired:
            failures[.missing].increment()
            throw .unauthenticated("invalid_request", "This needs an access token: Authorization: Bearer <token>.")
        case .token, .otherToken, .otherScheme, nil: return .anonymous
        }
    }

    package func currentRoles(of caller: Caller) -> Set<Role> { caller.roles }

    /// A ticket counts beside other credentials, but not beside an access token.
    package func viewer(of stream: CorrelationID, in request: HTTPRequest) throws(APIProblem) -> Caller {
        guard Credential(request.headers["Authorization"]) != .token, let ticket = request.query["ticket"] else {
            return try caller(of: request)
        }
        guard let user = tokens.verify(ticket: ticket, for: stream) else {
            failures[.invalidTicket].increment()
            throw .unauthenticated("invalid_token", "The ticket is not valid for this stream, or has expired.")
        }
        return .holder(ofTicketOf: user, key: nil)
    }
}
