package import Telemetry

/// What makes bytes no request.
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

/// A limit that refuses a request or ends a connection.
package enum HTTPLimit: String, Sendable, CaseIterable {
    case bodySize = "body_size"
    case headSize = "head_size"
    case targetSize = "target_size"
    /// Of a request's bytes.
    case arrivalTime = "arrival_time"
    case connections
    /// Time in which a client takes nothing of a response, or of a stream.
    case responseStall = "response_stall"
    case streamStall = "stream_stall"
}

/// Why a request acts as nobody.
package enum AuthenticationFailure: String, Sendable, CaseIterable {
    case missing
    case malformed
    case invalidToken = "invalid_token"
    case invalidTicket = "invalid_ticket"
}

/// The public listener.
package struct HTTPMetrics: Sendable {
    /// Statuses that every route shows from the start, so that the first of them counts as an increase.
    private static let statusesFromStart = [200, 500, 503]

    package let connections: Gauge
    package let connectionsMax: Gauge
    package let malformed: Counters<MalformedRequest>
    package let limits: Counters<HTTPLimit>
    package let authenticationFailures: Counters<AuthenticationFailure>
    private let registry: MetricsRegistry

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        connections = registry.gauge("lemma_http_connections", help: "Connections open")
        connectionsMax = registry.gauge(
            "lemma_http_connections_max",
            help: "Connections that there may be, as the limit of file descriptors allows"
        )
        malformed = registry.counters(
            "lemma_http_malformed_requests_total",
            help: "Bytes that are no request, by what is wrong",
            by: "reason",
        )
        limits = registry.counters(
            "lemma_http_limits_hit_total",
            help: "Requests refused and connections ended by a limit",
            by: "limit",
        )
        authenticationFailures = registry.counters(
            "lemma_http_authentication_failures_total",
            help: "Requests refused because nobody vouches for their user, by reason",
            by: "reason",
        )
    }

    /// Makes a route's series, so that they are there before its first request.
    package func prepare(method: String, route: String) {
        _ = seconds(method: method, route: route)
        for status in Self.statusesFromStart { _ = responses(method: method, route: route, status: status) }
    }

    /// Responses begun; taken once for each combination of method, route pattern and status.
    package func responses(method: String, route: String, status: Int) -> Counter {
        registry.counter(
            "lemma_http_responses_total",
            help: "Responses begun, by method, route and status",
            labels: ["method": method, "route": route, "status": String(status)],
        )
    }

    /// From a request's last byte to its answer's last; taken once for each method and route pattern.
    package func seconds(method: String, route: String) -> Histogram {
        registry.histogram(
            "lemma_http_request_duration_seconds",
            help: "A request's last byte to its answer's last, of streams to their end",
            labels: ["method": method, "route": route],
        )
    }
}
