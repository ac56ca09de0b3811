/// The limits on how long a connection may wait for its client.
enum TimeLimit: Equatable, CaseIterable {
    /// From the connection's opening to the first byte of a request.
    case firstRequest
    /// The same from the beginning of a drain: a first request is probably on its way, and a client does not expect a
    /// connection to close before it has answered anything.
    case firstRequestInDrain
    /// From a response to the first byte of the next request.
    case nextRequest
    /// From the first byte of a request to the end of its head.
    case head
    /// From the end of the head to the end of the body.
    case body
}

extension HTTPServerOptions {
    func timeout(of limit: TimeLimit) -> Duration {
        switch limit {
        case .firstRequest, .head: headTimeout
        case .firstRequestInDrain: firstRequestGrace
        case .nextRequest: keepAliveTimeout
        case .body: bodyTimeout
        }
    }
}
