package import HTTPServer

/// Which limit a route's requests count against.
package enum LimitClass: Sendable {
    /// None: cheap requests, and those that only the operators send.
    case free
    /// Requests that make a provider work.
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

/// Admits every request: limits by rate come with accounts.
package struct NoLimits: RequestLimiter {
    package init() {}

    package func admit(_: LimitClass, _: Caller, _: HTTPRequest) {}
}
