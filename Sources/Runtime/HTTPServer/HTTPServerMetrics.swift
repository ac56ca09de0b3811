/// What a server reports about itself.
///
/// Called on the loops' threads, concurrently; must be quick.
package protocol HTTPServerMetrics: Sendable {
    func connectionOpened()
    func connectionClosed()
    /// An answer has been given to the connection in full, or the connection went away before that: then `status` is nil.
    /// `duration` counts from the request's last byte.
    func requestEnded(method: HTTPMethod, status: Int?, duration: Duration)
    /// The server answered a request itself because it is not one.
    func badRequest(_ reason: RequestRefusal)
}
