internal import Application
package import HTTPServer
internal import Problems
package import Shared

/// An error response: a problem document (RFC 9457).
package struct APIProblem: Error {
    let kind: ProblemKind
    let detail: String
    var correlationID: CorrelationID?
    var errors: [ValidationFailure.FieldError] = []
    var headers: [(String, String)] = []

    package init(_ kind: ProblemKind, _ detail: String) {
        self.kind = kind
        self.detail = detail
    }

    /// How long a client should wait before it retries, for `Retry-After`.
    static let retryAfterSeconds = 2

    static var storeUnavailable: APIProblem {
        storeUnavailable("The queue cannot be reached or written right now. Please try again.")
    }

    static func storeUnavailable(_ detail: String) -> APIProblem {
        var problem = APIProblem(.storeUnavailable, detail)
        problem.headers.append(("Retry-After", String(retryAfterSeconds)))
        return problem
    }

    /// `limit` problems already wait in the conversation.
    static func conversationCrowded(_ limit: Int) -> APIProblem {
        var problem = APIProblem(
            .tooManyActive,
            "\(limit) problems of this conversation wait already. Wait for an answer, or abort one of them.",
        )
        // draft-ietf-httpapi-ratelimit-headers: a quota of requests at once, of which none is left.
        problem.headers += [
            ("Retry-After", String(retryAfterSeconds)), ("RateLimit", "\"conversation\";r=0"),
            ("RateLimit-Policy", "\"conversation\";q=\(limit)"),
        ]
        return problem
    }

    static func invalid(_ failure: ValidationFailure) -> APIProblem {
        var problem = APIProblem(.validation, "Some values are not allowed; see errors.")
        problem.errors = failure.errors
        return problem
    }

    static func otherMethods(_ methods: [HTTPMethod], than method: HTTPMethod) -> APIProblem {
        var problem = APIProblem(.methodNotAllowed, "This path does not know \(method.name).")
        problem.headers.append(("Allow", methods.map(\.name).joined(separator: ", ")))
        return problem
    }

    /// `detail` is a constant sentence of printable ASCII without quotation marks.
    static func unauthenticated(_ error: String, _ detail: String) -> APIProblem {
        var problem = APIProblem(.unauthenticated, detail)
        // RFC 6750, section 3: the description has no quotation marks.
        let challenge = "Bearer error=\"\(error)\", error_description=\"\(detail)\""
        problem.headers.append(("WWW-Authenticate", challenge))
        return problem
    }

    /// The caller's account was disabled or erased, or its API key revoked.
    static var accessWithdrawn: APIProblem {
        unauthenticated("invalid_token", "This access is not valid any more. Sign in again.")
    }

    /// The response to a request for `path`; a member whose value is not known is left out.
    func response(path: String?, requestID: String?) -> HTTPResponse {
        var response = HTTPResponse(
            status: kind.problemType.status,
            headers: ["Content-Type": "application/problem+json"]
        )
        for (name, value) in headers { response.headers.append(name, value) }
        if let correlationID { response.headers.append("X-Correlation-ID", correlationID.description) }
        response.body = JSONWriter.object { json in
            json.problem(kind, detail: detail)
            json.member("instance", path)
            json.member("requestId", requestID)
            json.member("correlationId", correlationID?.description)
            if !errors.isEmpty {
                json.member("errors", array: errors) { json, error in
                    json.object {
                        $0.member("field", error.field)
                        $0.member("message", error.message)
                    }
                }
            }
        }
        return response
    }

    /// The response to a request that the HTTP server rejects before it reaches a pipeline, for ``HTTPServerOptions``.
    ///
    /// Browsers may read it at `origins`.
    package static func refusal(
        status: Int,
        detail: String,
        request: RefusedRequest,
        requestID: String?,
        origins: [String]
    ) -> HTTPResponse {
        var response = APIProblem(ProblemKind(serverStatus: status), detail).response(
            path: request.path,
            requestID: requestID
        )
        if let requestID { response.headers.append("X-Request-ID", requestID) }
        response.headers.append("X-Content-Type-Options", "nosniff")
        for (name, value) in CrossOriginPolicy(origins: origins).headers(forOrigin: request.origin) {
            response.headers.append(name, value)
        }
        return response
    }
}
