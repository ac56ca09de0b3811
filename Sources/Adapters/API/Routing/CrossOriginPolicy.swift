internal import HTTPServer

/// Which browser origins may use the API (WHATWG Fetch, section 3.2).
struct CrossOriginPolicy {
    /// Lower-case origins; `*` allows all.
    let origins: [String]

    /// What a page may send: our own headers, and those that fetch wrappers, tracing and proxies add.
    private static let allowed =
        "authorization, cache-control, content-type, idempotency-key, last-event-id, prefer, traceparent, tracestate, "
        + "baggage, x-requested-with, x-request-id, x-end-user"
    private static let exposed =
        "Location, X-Request-ID, X-Correlation-ID, Idempotency-Replayed, Retry-After, RateLimit, RateLimit-Policy, "
        + "WWW-Authenticate"

    /// What a response to `request` carries; nothing for origins that are not allowed.
    func headers(for request: HTTPRequest) -> [(String, String)] { headers(forOrigin: request.headers["Origin"]) }

    func headers(forOrigin origin: String?) -> [(String, String)] {
        guard !origins.isEmpty, let origin else { return [] }
        guard origins.contains("*") || origins.contains(origin.lowercased()) else { return [("Vary", "Origin")] }
        return [
            ("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", Self.exposed),
            ("Vary", "Origin"),
        ]
    }

    func isPreflight(_ request: HTTPRequest) -> Bool {
        request.headers["Origin"] != nil && request.headers["Access-Control-Request-Method"] != nil
    }

    /// The answer to a preflight; without the headers of ``headers(for:)`` it allows nothing.
    func preflight(_ request: HTTPRequest) -> HTTPResponse {
        HTTPResponse(
            status: 204,
            headers: [
                "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
                "Access-Control-Allow-Headers": Self.allowed,
                "Access-Control-Max-Age": "600",
            ],
        )
    }
}
