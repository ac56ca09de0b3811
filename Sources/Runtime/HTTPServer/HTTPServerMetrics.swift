/// What a server reports about itself.
///
/// Called on the loops' threads, concurrently; must be quick.
package protocol HTTPServerMetrics: Sendable {
    func connectionOpened()
    func connectionClosed()
    /// An answer has been given to the connection in full, or the connection went away before that: then `status` is nil.
    /// `note` is what the handler said of it, `duration` counts from the request's last byte.
    func requestEnded(method: HTTPMethod, note: RequestNote?, status: Int?, duration: Duration)
    /// The server answered a request itself because it is not one.
    func badRequest(_ reason: RequestRefusal)
    /// A connection was closed because of a limit that no answer tells of.
    func connectionEnded(by limit: ConnectionLimit)
}

/// What metrics are told of a request by who answers it.
package struct RequestNote: Sendable {
    /// One of a closed set, such as the pattern of a path.
    package let route: String
    /// The sampled trace that it belongs to; nil where there is none.
    package let traceID: String?

    package init(route: String, traceID: String? = nil) {
        self.route = route
        self.traceID = traceID
    }
}

/// Limits that end a connection without an answer.
package enum ConnectionLimit: Sendable, CaseIterable {
    /// There are as many connections as there may be.
    case connections
    /// The client takes nothing of an ordinary response, or of a streaming one.
    case responseStall
    case streamStall
}
