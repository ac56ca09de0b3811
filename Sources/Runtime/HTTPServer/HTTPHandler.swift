package import EventLoop

/// What answers requests on one loop.
///
/// Called on the loop's thread only; must not block it.
package protocol HTTPHandler: AnyObject {
    /// Answers `request` through `exchange`: before it returns, or later from a task it starts with `loop.spawn`.
    ///
    /// The next request on the connection waits for the answer, so the answers keep the order of the requests.
    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange)

    /// Looks at a request whose body is still to come, and may refuse it before the body is sent; the connection is closed
    /// then. nil accepts it, and sends `100 Continue` where the client waits for that.
    func refusal(beforeBodyOf head: HTTPRequest) -> HTTPResponse?
}

extension HTTPHandler {
    package func refusal(beforeBodyOf head: HTTPRequest) -> HTTPResponse? { nil }
}

/// One request waiting for its answer: ``respond(_:)`` or ``startStream(status:headers:delegate:)``, exactly once.
///
/// An exchange that is dropped without an answer answers 500. Loop-owned.
package final class HTTPExchange {
    private let connection: HTTPConnection
    private var isAnswered = false

    init(connection: HTTPConnection) { self.connection = connection }

    deinit {
        if !isAnswered { connection.respond(connection.service.errorResponse(500, "The request was not answered.")) }
    }

    package var loop: Loop { connection.stream.loop }

    /// True where the server's connections are encrypted.
    package var isSecure: Bool { connection.service.options.makeFilter != nil }

    /// False once the connection is gone; answering is allowed then and does nothing.
    package var isOpen: Bool { !isAnswered && connection.isResponding }

    /// Says under which name metrics count the request.
    package func note(_ note: RequestNote) { connection.note = note }

    /// Called when the connection goes away before the answer: what computes it can stop.
    ///
    /// Replaces an earlier action.
    ///
    /// A client that only shuts down its sending side still waits for its answer and does not count as gone.
    package func onClose(_ action: @escaping () -> Void) {
        if isOpen { connection.closeAction = action } else if !isAnswered { action() }
    }

    /// Sends the response.
    package func respond(_ response: HTTPResponse) {
        takeAnswer()
        connection.respond(response)
    }

    /// Sends the head of a response whose body is written piece by piece.
    ///
    /// The delegate is held until the stream has ended. With HEAD, or when the connection has gone, the stream is already
    /// closed on return and the delegate hears nothing.
    package func startStream(
        status: Int,
        headers: HTTPFields,
        delegate: (any HTTPResponseStreamDelegate)? = nil
    ) -> HTTPResponseStream {
        takeAnswer()
        return connection.startStream(status: status, headers: headers, delegate: delegate)
    }

    private func takeAnswer() {
        precondition(!isAnswered, "a request is answered once")
        isAnswered = true
    }
}
