package import EventLoop

/// The limits that a server sets its clients.
///
/// Every limit is checked while bytes arrive, before they are stored.
package struct HTTPServerOptions: Sendable {
    /// Request line and header section together, and separately a trailer section; above it 431.
    package var headBytesMax = 16 * 1024
    /// The request target as sent; above it 414.
    package var targetBytesMax = 8 * 1024
    /// Header fields of one request; above it 431.
    package var headersMax = 100
    /// The request body without its framing, unless ``HTTPHandler/bodyBytesMax(of:)`` sets another limit; above it 413,
    /// where `Content-Length` says so before a byte of the body is read.
    package var bodyBytesMax = 64 * 1024
    /// From the first byte of a request (or the connection's opening) to the end of its head; then 408.
    package var headTimeout = Duration.seconds(10)
    /// From the end of the head to the end of the body, also where bytes arrive steadily; then 408.
    package var bodyTimeout = Duration.seconds(20)
    /// How long a connection may stay open without a request.
    package var keepAliveTimeout = Duration.seconds(75)
    /// How long a connection that has had no request yet stays open when the server drains.
    package var firstRequestGrace = Duration.milliseconds(500)
    /// How long a connection that the server closes waits for the end of its peer, so that the last response arrives.
    package var closeLinger = Duration.seconds(2)
    /// How long a peer may take nothing of a response that waits for it; then the connection is closed.
    package var writeStallTimeout = Duration.seconds(30)
    /// The same for a streaming response and for an upgraded connection.
    package var streamStallTimeout = Duration.seconds(300)
    /// Connections on all loops together.
    ///
    /// Above it a new one is answered 503 and closed. A request for an event stream gets no response, because an
    /// `EventSource` reconnects after a connection that broke, and never after a 503.
    package var connectionsMax = 20_000
    /// Connections above ``connectionsMax``, on all loops together, whose request is answered 503; a further one is closed
    /// at once.
    package var refusedConnectionsMax = 64
    /// Connections of one client address on all loops together; nil without a limit.
    ///
    /// An IPv6 address counts by its first 64 bits. A connection above the limit is treated as one above
    /// ``connectionsMax``.
    package var addressConnectionsMax: Int?
    /// True for a numeric address without such a limit, such as a proxy's.
    package var isExemptFromAddressLimit: @Sendable (_ address: String) -> Bool = { _ in false }
    /// Header fields of every response, those of the server's own errors included.
    package var responseFields: HTTPFields = [:]
    /// Called on the accepting loop each time that accepting pauses because the process is out of descriptors.
    package var acceptingPaused: @Sendable () -> Void = {}
    /// Bytes that a client may send ahead of the responses; above it the connection is not read until those are sent.
    package var pipelinedBytesMax = 64 * 1024
    /// Unsent response bytes above which no further pipelined request is read.
    package var outputBytesMax = 256 * 1024
    /// How often each loop checks the deadlines of its connections: the precision of every timeout above.
    package var sweepPeriod = Duration.seconds(1)
    /// Makes the security layer of each connection; nil for plain TCP.
    ///
    /// Where it throws, the connection is closed.
    package var makeFilter: (@Sendable () throws -> any StreamFilter)?
    /// Renders the server's own error responses.
    package var renderError: @Sendable (_ status: Int, _ detail: String, _ request: RefusedRequest) -> HTTPResponse =
        problemResponse

    package init() {}
}
