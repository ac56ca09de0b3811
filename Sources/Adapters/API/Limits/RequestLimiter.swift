package import Application
package import HTTPServer

/// Which limit a route's requests count against.
package enum LimitClass: Sendable {
    /// None: cheap requests, and those that only the operators send.
    case free
    /// Requests that make a provider work. Their use case charges them to the user's limits, whatever transport they come
    /// by (``Application/SubmissionAdmission``).
    case solve
    /// Requests that carry a password, by address.
    case credentials
}

/// Decides whether a caller may send one more request now.
///
/// Loop-owned. Called for every request whose route has a limit class, after the caller is identified and before the
/// handler; never called for ``LimitClass/free``. Throws a 429 with `Retry-After`.
package protocol RequestLimiter {
    /// `request` is for limits by client address and for headers that choose the limit.
    func admit(_ limit: LimitClass, _ caller: Caller, _ request: HTTPRequest) async throws(APIProblem)
}

/// Limits requests with a password by client address.
package struct CredentialLimiter: RequestLimiter {
    private let attempts: any AddressAttempts
    private let clients: ClientAddress

    package init(attempts: any AddressAttempts, clients: ClientAddress) {
        self.attempts = attempts
        self.clients = clients
    }

    package func admit(_ limit: LimitClass, _: Caller, _ request: HTTPRequest) async throws(APIProblem) {
        switch limit {
        case .free, .solve: return
        case .credentials:
            if let reached = await attempts.admit(from: clients.of(request)) { throw .limitReached(reached) }
        }
    }
}

/// Admits every request.
package struct NoLimits: RequestLimiter {
    package init() {}

    package func admit(_: LimitClass, _: Caller, _: HTTPRequest) {}
}
