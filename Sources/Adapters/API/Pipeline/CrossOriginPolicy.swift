internal import HTTPServer

/// Which browser origins may use the API (WHATWG Fetch, section 3.2).
struct CrossOriginPolicy {
    /// Lower-case origins; `*` allows all.
    let origins: [String]

    /// What a page may send: Lemma's own headers, and those that fetch wrappers, tracing and proxies add.
    private static let allowed =
        "authorization, cache-control, content-type, idempotency-key, last-event-id, prefer, traceparent, tracestate, "
        + "baggage, x-requested-with, x-request-id, x-end-user"
    private static let exposed =
        "Location, X-Request-ID, X-Correlation-ID, Idempotency-Replayed, Retry-After, RateLimit, RateLimit-Policy, "
        + "WWW-Authenticate"

    /// The headers of a response to `request`; none that allow anything for an origin that is not allowed.
    func headers(for request: HTTPRequest) -> [(String, String)] {
        origins.isEmpty ? [] : headers(forOrigin: request.headers["Origin"])
    }

    func headers(forOrigin origin: String?) -> [(String, String)] {
        guard !origins.isEmpty, let origin else { return [] }
        guard origins.contains("*") || origins.contains(origin.lowercased()) else { return [("Vary", "Origin")] }
        return [
            ("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", Self.exposed),
            ("Vary", "Origin"),
        ]
    }

    static func isPreflight(_ request: HTTPRequest) -> Bool {
        request.method == .options && request.headers["Origin"] != nil
            && request.headers["Access-Control-Request-Method"] != nil
    }

    /// The response to a preflight; without the headers of ``headers(for:)`` it allows nothing.
    static var preflight: HTTPResponse {
        HTTPResponse(
            status: 204,
            headers: [
                "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
                "Access-Control-Allow-Headers": allowed,
                "Access-Control-Max-Age": "600",
            ],
        )
    }
}
