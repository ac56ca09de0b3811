/// The kinds of errors that clients can see: the table of problem types (RFC 9457).
package enum ProblemKind: String, Sendable, CaseIterable {
    case malformedRequest = "malformed-request"
    case unauthenticated
    case notFound = "not-found"
    case methodNotAllowed = "method-not-allowed"
    case notAcceptable = "not-acceptable"
    case requestTimeout = "request-timeout"
    case gone
    case payloadTooLarge = "payload-too-large"
    case targetTooLong = "target-too-long"
    case unsupportedMediaType = "unsupported-media-type"
    case expectationFailed = "expectation-failed"
    case validation
    case idempotencyKeyReused = "idempotency-key-reused"
    case conversationBusy = "conversation-busy"
    case tooManyRequests = "too-many-requests"
    case headersTooLarge = "headers-too-large"
    case internalError = "internal-error"
    case notImplemented = "not-implemented"
    case versionNotSupported = "version-not-supported"
    case queueFull = "queue-full"
    case storeUnavailable = "store-unavailable"
    case providerFailed = "provider-failed"
    case providerTimedOut = "provider-timed-out"
    case attemptsExhausted = "attempts-exhausted"
    case removedFromQueue = "removed-from-queue"
    case tooManyActive = "too-many-active"

    /// The stable URI reference in `type`.
    package var type: String { "/problems/\(rawValue)" }

    package var status: Int {
        switch self {
        case .malformedRequest: 400
        case .unauthenticated: 401
        case .notFound: 404
        case .methodNotAllowed: 405
        case .notAcceptable: 406
        case .requestTimeout: 408
        case .conversationBusy: 409
        case .gone: 410
        case .payloadTooLarge: 413
        case .targetTooLong: 414
        case .unsupportedMediaType: 415
        case .expectationFailed: 417
        case .validation, .idempotencyKeyReused: 422
        case .tooManyRequests, .tooManyActive: 429
        case .headersTooLarge: 431
        case .internalError: 500
        case .notImplemented: 501
        case .providerFailed, .attemptsExhausted: 502
        case .queueFull, .storeUnavailable, .removedFromQueue: 503
        case .providerTimedOut: 504
        case .versionNotSupported: 505
        }
    }

    package var title: String {
        switch self {
        case .malformedRequest: "The request is malformed"
        case .unauthenticated: "Authentication is required"
        case .notFound: "Not found"
        case .methodNotAllowed: "The method is not allowed here"
        case .notAcceptable: "None of the accepted formats can be produced"
        case .requestTimeout: "The request took too long to arrive"
        case .gone: "The answer's stream has expired"
        case .payloadTooLarge: "The body is too large"
        case .targetTooLong: "The request target is too long"
        case .unsupportedMediaType: "The body's format is not supported"
        case .expectationFailed: "The expectation cannot be met"
        case .validation: "The request is not valid"
        case .idempotencyKeyReused: "The idempotency key belongs to another problem"
        case .conversationBusy: "The conversation is busy"
        case .tooManyRequests: "Too many requests"
        case .headersTooLarge: "The header section is too large"
        case .internalError: "Something went wrong on our side"
        case .notImplemented: "Not implemented"
        case .versionNotSupported: "This HTTP version is not supported"
        case .queueFull: "Too many problems are waiting"
        case .storeUnavailable: "The service cannot take problems right now"
        case .providerFailed: "The AI provider failed"
        case .providerTimedOut: "The AI provider took too long"
        case .attemptsExhausted: "Every attempt to solve the problem failed"
        case .removedFromQueue: "The problem was removed from the queue"
        case .tooManyActive: "Too many problems are waiting for you"
        }
    }

    /// True if the same request may succeed later.
    package var isRetryable: Bool {
        switch self {
        case .requestTimeout, .conversationBusy, .tooManyRequests, .internalError, .queueFull, .storeUnavailable,
            .providerFailed, .providerTimedOut, .attemptsExhausted, .removedFromQueue, .tooManyActive:
            true
        case .malformedRequest, .unauthenticated, .notFound, .methodNotAllowed, .notAcceptable, .gone, .payloadTooLarge,
            .targetTooLong, .unsupportedMediaType, .expectationFailed, .validation, .idempotencyKeyReused,
            .headersTooLarge, .notImplemented,
            .versionNotSupported:
            false
        }
    }

    /// The kind of an error status that the HTTP layer sets itself.
    package init(status: Int) {
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
