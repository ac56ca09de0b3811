package import Domain
package import HTTPServer
package import Shared

/// Identifies the caller of a request by its credentials.
///
/// Loop-owned. Each method throws a 401 with the reason in `WWW-Authenticate`; an implementation counts them by reason.
package protocol Authenticator {
    /// Rejects what the head alone shows to be unusable credentials, so that the body is not read for nothing.
    ///
    /// Must not wait. What it lets pass is checked again, in full, by ``caller(of:)`` when the body is complete.
    func precheck(_ head: HTTPRequest) throws(APIProblem)

    /// Returns the caller that the `Authorization` header identifies; `X-End-User` is applied.
    ///
    /// The caller's account is neither disabled nor erased, and its key is not revoked.
    func caller(of request: HTTPRequest) async throws(APIProblem) -> Caller

    /// Returns the caller of a request for one stream, which may carry a ticket in its URL instead.
    func viewer(of stream: CorrelationID, in request: HTTPRequest) async throws(APIProblem) -> Caller

    /// The roles that the caller's account has at this moment, for routes where a withdrawn role must not work until the
    /// token expires.
    func currentRoles(of caller: Caller) async throws(APIProblem) -> Set<Role>
}
