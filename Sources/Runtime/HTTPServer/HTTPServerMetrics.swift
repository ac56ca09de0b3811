/// Observes a server.
///
/// Called on the loops' threads, concurrently; must not block.
package protocol HTTPServerMetrics: Sendable {
    func connectionOpened()
    func connectionClosed()
    /// The response is complete, or the connection closed before that; `status` is nil where it closed before the response
    /// began. `note` is the handler's, `duration` begins with the request's last byte. An upgrade is complete with its 101.
    func requestEnded(method: HTTPMethod, note: RequestNote?, status: Int?, duration: Duration)
    /// The server answered bytes itself that are no acceptable request.
    func badRequest(_ reason: RequestRefusal)
    /// A connection was closed because of a limit that no response names.
    func connectionEnded(by limit: ConnectionLimit)
}

/// The handler's description of a request for metrics.
package struct RequestNote: Sendable {
    /// From a closed set, such as the pattern of a path.
    package let route: String
    /// The sampled trace that the request belongs to; nil without one.
    package let traceID: String?

    package init(route: String, traceID: String? = nil) {
        self.route = route
        self.traceID = traceID
    }
}

/// Limits that close a connection without a response.
package enum ConnectionLimit: Sendable, CaseIterable {
    /// The number of connections is at its maximum.
    case connections
    /// The number of connections of the client's address is at its maximum.
    case addressConnections
    /// The client takes nothing of an ordinary response.
    case responseStall
    /// The client takes nothing of a streaming response, or of an upgraded connection's output.
    case streamStall
}
