package import Shared

/// How clients see one kind of error (RFC 9457): one row of the table in ``Shared/ProblemKind/problemType``.
package struct ProblemType: Sendable, Hashable {
    /// The stable URI reference in `type`.
    package let uri: String
    /// Constant for the kind, without a full stop.
    package let title: String
    /// The HTTP status; in a stream's `failed` event, the status of an answer that had waited for the end.
    package let status: Int
    /// True where the same request may succeed later without a change.
    package let isRetryable: Bool
}

extension ProblemKind {
    private enum Retry {
        /// The same request fails again.
        case never
        /// The same request may succeed later.
        case later
    }

    /// The table of problem types: the one place that knows how a kind looks outside.
    package var problemType: ProblemType {
        switch self {
        case .malformedRequest: row(400, .never, "The request is malformed")
        case .unauthenticated: row(401, .never, "Authentication is required")
        case .forbidden: row(403, .never, "This is not allowed")
        case .wrongPassword: row(403, .never, "The password is wrong")
        case .registrationClosed: row(403, .never, "Registration is closed")
        case .notFound: row(404, .never, "Not found")
        case .methodNotAllowed: row(405, .never, "The method is not allowed here")
        case .notAcceptable: row(406, .never, "None of the accepted formats can be produced")
        case .requestTimeout: row(408, .later, "The request took too long to arrive")
        case .conversationBusy: row(409, .later, "The conversation is busy")
        case .emailTaken: row(409, .never, "The e-mail address is taken")
        case .tooManyKeys: row(409, .never, "The account has too many API keys")
        case .gone: row(410, .never, "The answer's stream has expired")
        case .payloadTooLarge: row(413, .never, "The body is too large")
        case .targetTooLong: row(414, .never, "The request target is too long")
        case .unsupportedMediaType: row(415, .never, "The body's format is not supported")
        case .expectationFailed: row(417, .never, "The expectation cannot be met")
        case .validation: row(422, .never, "The request is not valid")
        case .idempotencyKeyReused: row(422, .never, "The idempotency key belongs to another problem")
        case .rateLimited: row(429, .later, "Too many requests")
        case .budgetExhausted: row(429, .later, "The tokens of this day are used up")
        case .tooManyActive: row(429, .later, "Too many problems are waiting for you")
        case .headersTooLarge: row(431, .never, "The header section is too large")
        case .internalError: row(500, .later, "Something went wrong on our side")
        case .notImplemented: row(501, .never, "Not implemented")
        case .providerFailed: row(502, .later, "The AI provider failed")
        case .attemptsExhausted: row(502, .later, "Every attempt to solve the problem failed")
        case .queueFull: row(503, .later, "Too many problems are waiting")
        case .storeUnavailable: row(503, .later, "The service cannot take problems right now")
        case .removedFromQueue: row(503, .later, "The problem was removed from the queue")
        case .providerTimedOut: row(504, .later, "The AI provider took too long")
        case .versionNotSupported: row(505, .never, "This HTTP version is not supported")
        }
    }

    private func row(_ status: Int, _ retry: Retry, _ title: String) -> ProblemType {
        ProblemType(uri: "/problems/\(rawValue)", title: title, status: status, isRetryable: retry == .later)
    }

    /// The kind of an error status that the HTTP server chooses itself, before a route is known.
    package init(serverStatus status: Int) {
        switch status {
        case 404: self = .notFound
        case 405: self = .methodNotAllowed
        case 408: self = .requestTimeout
        case 413: self = .payloadTooLarge
        case 414: self = .targetTooLong
        case 417: self = .expectationFailed
        case 431: self = .headersTooLarge
        case 500: self = .internalError
        case 501: self = .notImplemented
        case 503: self = .storeUnavailable
        case 505: self = .versionNotSupported
        default: self = .malformedRequest
        }
    }
}
