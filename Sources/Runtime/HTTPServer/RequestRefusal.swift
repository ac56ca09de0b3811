/// Why the server rejects a request itself and closes the connection.
///
/// Each case has one status and one constant detail.
package enum RequestRefusal: String, Error, Sendable, CaseIterable {
    case malformedRequestLine = "malformed_request_line"
    case malformedTarget = "malformed_target"
    case malformedHeader = "malformed_header"
    case malformedHost = "malformed_host"
    case malformedFraming = "malformed_framing"
    case malformedBody = "malformed_body"
    case truncated
    case timedOut = "timed_out"
    case bodyTooLarge = "body_too_large"
    case targetTooLong = "target_too_long"
    case expectationUnknown = "expectation_unknown"
    case headTooLarge = "head_too_large"
    case methodNotImplemented = "method_not_implemented"
    case codingNotImplemented = "coding_not_implemented"
    case versionNotSupported = "version_not_supported"

    /// The response's status code.
    package var status: Int {
        switch self {
        case .malformedRequestLine, .malformedTarget, .malformedHeader, .malformedHost, .malformedFraming,
            .malformedBody, .truncated:
            400
        case .timedOut: 408
        case .bodyTooLarge: 413
        case .targetTooLong: 414
        case .expectationUnknown: 417
        case .headTooLarge: 431
        case .methodNotImplemented, .codingNotImplemented: 501
        case .versionNotSupported: 505
        }
    }

    /// One sentence for the client.
    package var detail: String {
        switch self {
        case .malformedRequestLine: "The request line is malformed."
        case .malformedTarget: "The request target is malformed."
        case .malformedHeader: "A header field is malformed or repeated."
        case .malformedHost: "The request needs exactly one valid Host header."
        case .malformedFraming: "The length of the body is malformed or ambiguous."
        case .malformedBody: "The chunked body is malformed."
        case .truncated: "The connection ended in the middle of the request."
        case .timedOut: "The request did not arrive in time."
        case .bodyTooLarge: "The body is too large."
        case .targetTooLong: "The request target is too long."
        case .expectationUnknown: "Only the expectation 100-continue is known."
        case .headTooLarge: "The header section is too large."
        case .methodNotImplemented: "The method is not implemented."
        case .codingNotImplemented: "Only the transfer coding chunked is implemented."
        case .versionNotSupported: "Only HTTP/1.1 and HTTP/1.0 are supported."
        }
    }
}
