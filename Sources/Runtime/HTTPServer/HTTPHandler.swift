package import EventLoop

/// Answers the requests of one loop.
///
/// Called on the loop's thread only; must not block it.
package protocol HTTPHandler: AnyObject {
    /// Answers `request` through `exchange`: before it returns, or later from a task started with `loop.spawn`.
    ///
    /// The next request on the connection waits for the response, so responses keep the order of the requests.
    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange)

    /// The most body bytes that this request may have, without their framing; nil for
    /// ``HTTPServerOptions/bodyBytesMax``.
    ///
    /// Called once the head is complete, for a request with a body. A longer body is answered 413: before a byte of it is
    /// read where `Content-Length` says so.
    func bodyBytesMax(of head: HTTPRequest) -> Int?

    /// Rejects a request before its body is read; the connection closes behind the response. nil accepts the request, and
    /// sends `100 Continue` where the client waits for it.
    ///
    /// Called after ``bodyBytesMax(of:)``, for a request with a body.
    func refusal(beforeBodyOf head: HTTPRequest) -> HTTPResponse?
}

extension HTTPHandler {
    package func bodyBytesMax(of head: HTTPRequest) -> Int? { nil }
    package func refusal(beforeBodyOf head: HTTPRequest) -> HTTPResponse? { nil }
}

/// One request that waits for its answer, which is exactly one of ``respond(_:)``,
/// ``startStream(status:headers:delegate:)`` and ``upgrade(_:headers:owner:)``.
///
/// An exchange that is released without an answer answers 500. Loop-owned.
package final class HTTPExchange {
    private let connection: HTTPConnection
    private let path: String
    private var isAnswered = false

    init(connection: HTTPConnection, path: String) {
        self.connection = connection
        self.path = path
    }

    deinit {
        guard !isAnswered else { return }
        let request = RefusedRequest(path: path)
        connection.respond(connection.service.errorResponse(500, "The request was not answered.", request))
    }

    package var loop: Loop { connection.stream.loop }

    /// True where the server's connections are encrypted.
    package var isSecure: Bool { connection.service.options.makeFilter != nil }

    /// False once the connection has closed; answering is allowed then and does nothing.
    package var isOpen: Bool { !isAnswered && connection.isResponding }

    /// Sets under which names metrics count the request.
    package func note(_ note: RequestNote) { connection.note(note) }

    /// Runs `action` if the connection closes before the answer, so that the computation of the answer can stop.
    ///
    /// Replaces an earlier action. Runs it at once where the connection has closed already.
    ///
    /// A client that only shuts down its sending side still waits for its answer; its connection stays open.
    package func onClose(_ action: @escaping () -> Void) {
        if isOpen { connection.onClose(action) } else if !isAnswered { action() }
    }

    /// Sends the response.
    package func respond(_ response: HTTPResponse) {
        markAnswered()
        connection.respond(response)
    }

    /// Sends the head of a response whose body is written piece by piece.
    ///
    /// The delegate is retained until the stream has ended. With HEAD, or when the connection has closed, the returned
    /// stream is already closed and the delegate is not called.
    package func startStream(
        status: Int,
        headers: HTTPFields,
        delegate: (any HTTPResponseStreamDelegate)? = nil
    ) -> HTTPResponseStream {
        markAnswered()
        return connection.startStream(status: status, headers: headers, delegate: delegate)
    }

    /// Answers 101 with `headers`, and gives the connection to the owner that `makeOwner` returns.
    ///
    /// `makeOwner` runs before this returns; when the connection has closed, it is not called. It may write to the stream,
    /// and must leave the stream's delegate as it is. The server counts the connection, drains it and closes it like any
    /// other until the owner has closed it.
    package func upgrade(
        _ upgrade: HTTPUpgrade,
        headers: HTTPFields = [:],
        owner makeOwner: (ByteStream) -> any UpgradedConnectionDelegate
    ) {
        markAnswered()
        connection.upgrade(upgrade, headers, makeOwner)
    }

    private func markAnswered() {
        precondition(!isAnswered, "a request is answered once")
        isAnswered = true
    }
}
