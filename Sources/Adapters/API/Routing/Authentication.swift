internal import Application
internal import HTTPServer
internal import Instrumentation
internal import Shared
internal import Telemetry

/// Decides who a request acts as.
struct Authentication {
    let tokens: any TokenService
    /// With `false`, a request without a token acts as ``UserID/anonymous``.
    let isRequired: Bool
    let failures: Counters<AuthenticationFailure>

    /// The user of a request that may carry a token in its header.
    ///
    /// A wrong token is an error also where none is required: the client believes to be someone. What is no token of ours
    /// is ignored there: a proxy's Basic credentials, or the key that an SDK must send.
    func user(of request: HTTPRequest) throws(APIProblem) -> UserID {
        switch Credential(request.headers["Authorization"]) {
        case let credential? where credential == .token || credential == .otherToken && isRequired:
            // Accounts, and with them access tokens, are a part of the product that is yet to come.
            failures[.invalidToken].increment()
            throw .unauthenticated("invalid_token", "The access token is not valid. Sign in again.")
        case .otherScheme where isRequired:
            failures[.malformed].increment()
            throw .unauthenticated("invalid_request", "Authorization must be of the form: Bearer <token>.")
        case nil where isRequired:
            failures[.missing].increment()
            throw .unauthenticated("invalid_request", "This needs an access token: Authorization: Bearer <token>.")
        case _: return .anonymous
        }
    }

    /// The user of a request for a stream, which may carry a ticket in its URL, and whether a ticket vouched for it.
    func viewer(
        of stream: CorrelationID,
        in request: HTTPRequest
    ) throws(APIProblem) -> (user: UserID, hasTicket: Bool) {
        guard Credential(request.headers["Authorization"]) != .token, let ticket = request.query["ticket"] else {
            return (try user(of: request), false)
        }
        guard let user = tokens.verify(ticket: ticket, for: stream) else {
            failures[.invalidTicket].increment()
            throw .unauthenticated("invalid_token", "The ticket is not valid for this stream, or has expired.")
        }
        return (user, true)
    }
}
