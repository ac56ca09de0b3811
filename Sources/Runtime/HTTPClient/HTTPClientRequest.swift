/// A request to send.
package struct HTTPClientRequest: Sendable {
    /// The method, such as `POST`.
    package var method: String
    /// Absolute, `http` or `https`.
    package var url: String
    /// In the order given.
    ///
    /// The client sets `Host`, `Content-Length` and the connection's fields itself.
    package var headers: [(name: String, value: String)]
    /// Nil for a request without a body.
    package var body: [UInt8]?
    /// The timeouts of its phases.
    package var timeouts = HTTPClientTimeouts()
    /// The limits of the response.
    package var limits = HTTPClientLimits()
    /// Whether the environment's proxies are used.
    package var proxy = HTTPProxyUse.environment

    /// A request with the default timeouts and limits.
    package init(
        _ method: String = "GET",
        _ url: String,
        headers: [(name: String, value: String)] = [],
        body: [UInt8]? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }
}

extension HTTPClientRequest {
    /// True for an idempotent method (RFC 9110, section 9.2.2).
    var isRepeatable: Bool { ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"].contains(method) }
}

/// The timeouts of a request's phases; nil for no limit.
package struct HTTPClientTimeouts: Sendable, Hashable {
    /// Name lookup, connecting and the TLS handshake together.
    package var connect: Duration = .seconds(10)
    /// From the sent request line to the end of the response's head.
    package var response: Duration?
    /// Between two pieces of the response, its head included.
    package var idle: Duration? = .seconds(60)
    /// The whole request.
    package var total: Duration?

    /// The defaults.
    package init() {}
}

/// The limits of a response, in bytes.
package struct HTTPClientLimits: Sendable, Hashable {
    /// One line of the head.
    package var headerLineBytesMax = 16 * 1024
    /// The whole head.
    package var headBytesMax = 64 * 1024
    /// The body without its framing; nil for no limit.
    package var bodyBytesMax: Int?

    /// The defaults.
    package init() {}
}

/// Whether a request may go through a proxy.
package enum HTTPProxyUse: Sendable, Hashable {
    /// According to `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`.
    case environment
    /// A direct connection to the server.
    case none
}

/// The head of a response.
package struct HTTPClientResponse: Sendable {
    /// 200 to 999; interim responses are skipped.
    package let status: Int
    /// The fields in the order received, names in lower case, values without surrounding white space.
    package let headers: [(name: String, value: String)]
    /// The delay that the server's `Retry-After` requests, in seconds or as a date.
    package internal(set) var retryAfter: Duration?

    init(status: Int, headers: [(name: String, value: String)]) {
        self.status = status
        self.headers = headers
    }

    /// The first field of that name, given in lower case.
    package subscript(name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// What the transport does after the caller has processed a piece of a response.
package enum HTTPReadDecision: Sendable {
    /// Continue to read.
    case proceed
    /// Stop reading until the caller has room, which is back-pressure for the server. The piece itself is processed.
    case pause
    /// Continue to read for at most this long; then the request ends successfully and its connection is closed. The first
    /// such decision starts the time; ``proceed`` or ``pause`` after it stops it.
    case conclude(within: Duration)
    /// End the request successfully now. The rest of the response is read and dropped, so that the connection can be
    /// reused.
    case enough
    /// End the request successfully now and close its connection.
    case stop
}
