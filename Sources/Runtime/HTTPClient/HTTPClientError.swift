internal import CCurl

/// Why a request has no complete response.
///
/// The texts contain neither addresses nor sent data, so they can be logged and returned to clients.
package enum HTTPClientError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The URL, the method or a field is invalid; nothing was sent.
    case invalidRequest
    /// The name of the server or of the proxy could not be resolved.
    case resolve
    /// No connection to the server or the proxy could be made.
    case connect
    /// The TLS handshake failed or the certificate was rejected.
    case tls
    /// A phase took too long.
    case timedOut(HTTPClientPhase)
    /// The response is larger than the request allows.
    case tooLarge(HTTPClientPart)
    /// The connection ended before the response was complete.
    case closed
    /// The response is not valid HTTP.
    case protocolViolation
    /// The task was cancelled or the transport was closed.
    case cancelled
    /// Another error, by libcurl's number.
    case failed(code: UInt32)

    /// In words.
    package var description: String {
        switch self {
        case .invalidRequest: "the request cannot be sent as it is"
        case .resolve: "the server's name could not be resolved"
        case .connect: "the server could not be reached"
        case .tls: "no secure connection could be made"
        case .timedOut(let phase): "the server took too long: \(phase.rawValue)"
        case .tooLarge(let part): "the response's \(part.rawValue) is too large"
        case .closed: "the connection was closed before the response was complete"
        case .protocolViolation: "the server's answer is no valid HTTP"
        case .cancelled: "the request was cancelled"
        case .failed(let code): "the request failed (libcurl \(code))"
        }
    }

    /// The error behind a libcurl result other than success.
    init(result: CURLcode, headIsComplete: Bool) {
        switch result {
        case CURLE_URL_MALFORMAT, CURLE_BAD_FUNCTION_ARGUMENT: self = .invalidRequest
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: self = .resolve
        case CURLE_COULDNT_CONNECT, CURLE_PROXY, CURLE_INTERFACE_FAILED: self = .connect
        // libcurl's own timeout is set for connecting only; this module limits the other phases.
        case CURLE_OPERATION_TIMEDOUT: self = .timedOut(.connect)
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS,
            CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_CLIENTCERT, CURLE_USE_SSL_FAILED, CURLE_SSL_ENGINE_NOTFOUND,
            CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED:
            self = .tls
        // libcurl reports a header line above its own limit of 100 KiB this way.
        case CURLE_OUT_OF_MEMORY where !headIsComplete: self = .tooLarge(.head)
        case CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR: self = .closed
        case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_HTTP2, CURLE_HTTP2_STREAM,
            CURLE_BAD_CONTENT_ENCODING:
            self = .protocolViolation
        case _: self = .failed(code: result.rawValue)
        }
    }
}

/// The phase of a request that took too long.
package enum HTTPClientPhase: String, Sendable, Hashable {
    /// Name lookup, connecting, handshake.
    case connect = "connecting"
    /// Waiting for the response's head.
    case response = "no response"
    /// No bytes arrived.
    case idle = "silence"
    /// The whole request.
    case total
}

/// The part of a response that is too large.
package enum HTTPClientPart: String, Sendable, Hashable {
    /// Status line and fields.
    case head
    /// The body.
    case body
}
