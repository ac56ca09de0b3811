/// Every kind of error that a client can see.
///
/// The raw values are stored in Redis and PostgreSQL and are part of the problem type URIs, so a released one keeps its
/// spelling. What a transport makes of a kind (title, HTTP status, retry) is the table in the module Problems.
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
    case forbidden
    case wrongPassword = "wrong-password"
    case registrationClosed = "registration-closed"
    case emailTaken = "email-taken"
    case rateLimited = "rate-limited"
    case budgetExhausted = "budget-exhausted"
    case tooManyKeys = "too-many-keys"
}
