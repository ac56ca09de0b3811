package import Telemetry

/// Why bytes are not a valid request.
package enum MalformedRequest: String, Sendable, CaseIterable {
    case requestLine = "request_line"
    case target
    case header
    case host
    case framing
    case body
    case truncated
    case expectation
    case method
    case coding
    case version
}

/// A limit that rejects a request or closes a connection.
package enum HTTPLimit: String, Sendable, CaseIterable {
    case bodySize = "body_size"
    case headSize = "head_size"
    case targetSize = "target_size"
    /// Of a request's bytes.
    case arrivalTime = "arrival_time"
    case connections
    /// Connections of one client address.
    case addressConnections = "address_connections"
    /// Time without progress of a client that reads a response or a stream.
    case responseStall = "response_stall"
    case streamStall = "stream_stall"
}

/// Why a request has no authenticated user.
package enum AuthenticationFailure: String, Sendable, CaseIterable {
    case missing
    case malformed
    case invalidToken = "invalid_token"
    case invalidTicket = "invalid_ticket"
    case invalidKey = "invalid_key"
    /// The account was disabled or erased, or the API key of a ticket revoked.
    case withdrawn
    /// At sign-in; also an unknown or disabled account.
    case wrongPassword = "wrong_password"
    /// A refresh token that is not valid any more.
    case invalidRefreshToken = "invalid_refresh_token"
}

/// The result of reading the files of the TLS certificate again.
package enum CertificateReload: String, Sendable, CaseIterable {
    case loaded
    /// The certificate from before stays in use.
    case failed
}

/// The public listener.
package struct HTTPMetrics: Sendable {
    /// Statuses with a series for every route from the start, so that the first response counts as an increase.
    private static let statusesFromStart = [200, 500, 503]

    package let connections: Gauge
    package let connectionsMax: Gauge
    package let malformed: Counters<MalformedRequest>
    package let limits: Counters<HTTPLimit>
    package let authenticationFailures: Counters<AuthenticationFailure>
    package let certificateReloads: Counters<CertificateReload>
    private let registry: MetricsRegistry

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        connections = registry.gauge("lemma_http_connections", help: "Connections open")
        connectionsMax = registry.gauge(
            "lemma_http_connections_max",
            help: "Limit of connections, from the limit of file descriptors"
        )
        malformed = registry.counters(
            "lemma_http_malformed_requests_total",
            help: "Bytes that are not a valid request, by reason",
            by: "reason",
        )
        limits = registry.counters(
            "lemma_http_limits_hit_total",
            help: "Requests rejected and connections closed by a limit",
            by: "limit",
        )
        authenticationFailures = registry.counters(
            "lemma_http_authentication_failures_total",
            help: "Requests rejected because their user is not authenticated, by reason",
            by: "reason",
        )
        certificateReloads = registry.counters(
            "lemma_http_certificate_reloads_total",
            help: "Times that the TLS certificate was read again at SIGHUP, by result",
            by: "result",
        )
    }

    /// Creates a route's series before its first request.
    package func prepare(method: String, route: String) {
        _ = seconds(method: method, route: route)
        for status in Self.statusesFromStart { _ = responses(method: method, route: route, status: status) }
    }

    /// Responses begun; created once for each combination of method, route pattern and status.
    package func responses(method: String, route: String, status: Int) -> Counter {
        registry.counter(
            "lemma_http_responses_total",
            help: "Responses begun, by method, route and status",
            labels: ["method": method, "route": route, "status": String(status)],
        )
    }

    /// From the last byte of a request to the last byte of its response; created once for each method and route pattern.
    package func seconds(method: String, route: String) -> Histogram {
        registry.histogram(
            "lemma_http_request_duration_seconds",
            help: "Last byte of a request to the last byte of its response; for streams to their end",
            labels: ["method": method, "route": route],
        )
    }
}
