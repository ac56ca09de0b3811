/// A request to send.
package struct HTTPClientRequest: Sendable {
    /// The method as it goes on the wire, such as `POST`.
    package var method: String
    /// Absolute, `http` or `https`.
    package var url: String
    /// In the order given.
    ///
    /// `Host`, `Content-Length` and the connection's own fields are the client's business.
    package var headers: [(name: String, value: String)]
    /// Nil for a request without a body.
    package var body: [UInt8]?
    /// How long its phases may take.
    package var timeouts = HTTPClientTimeouts()
    /// How much of the response is taken.
    package var limits = HTTPClientLimits()
    /// Whether the proxies of the environment are used.
    package var proxy = HTTPProxyUse.environment

    /// Makes a request with the default timeouts and limits.
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
    /// True where sending it twice means the same as once (RFC 9110, section 9.2.2).
    var isRepeatable: Bool { ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"].contains(method) }
}

/// How long the phases of a request may take; nil is without limit.
package struct HTTPClientTimeouts: Sendable, Hashable {
    /// Looking up the name, connecting and the TLS handshake together.
    package var connect: Duration = .seconds(10)
    /// From the sent request line to the end of the response's head.
    package var response: Duration?
    /// Between any two pieces of the response, its head included.
    package var idle: Duration? = .seconds(60)
    /// Everything together.
    package var total: Duration?

    /// The defaults.
    package init() {}
}

/// How much of a response is taken.
package struct HTTPClientLimits: Sendable, Hashable {
    /// One line of the head.
    package var headerLineBytesMax = 16 * 1024
    /// The whole head.
    package var headBytesMax = 64 * 1024
    /// The body without its framing; nil is without limit.
    package var bodyBytesMax: Int?

    /// The defaults.
    package init() {}
}

/// Whether a request may go through a proxy.
package enum HTTPProxyUse: Sendable, Hashable {
    /// As `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` say.
    case environment
    /// Straight to the server.
    case none
}

/// The head of a response.
package struct HTTPClientResponse: Sendable {
    /// 200 to 999; interim responses are not shown.
    package let status: Int
    /// The fields in the order they came, names in lower case, values without white space around them.
    package let headers: [(name: String, value: String)]
    /// How long the server wants to be left alone, by its `Retry-After`: given in seconds or as a date.
    package internal(set) var retryAfter: Duration?

    init(status: Int, headers: [(name: String, value: String)]) {
        self.status = status
        self.headers = headers
    }

    /// The first field of that name, given in lower case.
    package subscript(name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// What is to happen after a piece of a response was taken.
package enum HTTPReadDecision: Sendable {
    /// Read on.
    case proceed
    /// Read nothing for now: the request waits for room, and the server with it. The piece itself is taken.
    case pause
    /// Read on, for so long at most: then the request ends well, and its connection is closed. The first such decision
    /// starts the time; ``proceed`` or ``pause`` after it takes it back.
    case conclude(within: Duration)
    /// That was all that is wanted: the request ends well at once. What little may follow is read behind it, so that the
    /// connection can serve again.
    case enough
    /// That was all that is wanted: the request ends well, its connection is closed.
    case stop
}
