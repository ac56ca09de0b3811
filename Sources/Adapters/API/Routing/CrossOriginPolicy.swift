internal import HTTPServer

/// Which browser origins may use the API (WHATWG Fetch, section 3.2).
struct CrossOriginPolicy {
    /// Lower-case origins; `*` allows all.
    let origins: [String]

    private static let exposed = "Location, X-Request-ID, X-Correlation-ID, Idempotency-Replayed, Retry-After"

    /// What a response to `request` carries; nothing for origins that are not allowed.
    func headers(for request: HTTPRequest) -> [(String, String)] {
        guard !origins.isEmpty, let origin = request.headers["Origin"] else { return [] }
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
                "Access-Control-Allow-Headers":
                    "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Prefer, X-Request-ID, traceparent",
                "Access-Control-Max-Age": "600",
            ],
        )
    }
}
