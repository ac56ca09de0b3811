internal import HTTPServer
internal import Shared
internal import Tracing

/// A request on its way to its response, as its handler sees it.
///
/// A handler responds exactly once: ``respond(_:)-(HTTPResponse)`` or ``startStream(headers:delegate:)``. Loop-owned.
final class RequestContext {
    let exchange: HTTPExchange
    /// What the pattern's placeholder matched; nil where it has none.
    let parameter: Substring?
    private let observed: ObservedRequest

    init(_ observed: ObservedRequest, _ exchange: HTTPExchange, parameter: Substring?) {
        self.observed = observed
        self.exchange = exchange
        self.parameter = parameter
        exchange.note(RequestNote(route: observed.route, traceID: observed.trace.span?.context.sampledTraceID))
    }

    var request: HTTPRequest { observed.request }
    var trace: RequestTrace { observed.trace }
    /// As in `X-Request-ID` of the response; nil where the listener is not observed.
    var requestID: String? { observed.requestID }

    func respond(_ response: HTTPResponse) { exchange.respond(observed.completing(response)) }

    func respond(_ problem: APIProblem) { exchange.respond(observed.completing(problem)) }

    /// Responds with JSON, which no cache may store.
    func respond(status: Int, headers: HTTPFields = [:], json: [UInt8]) {
        var response = HTTPResponse(status: status, headers: headers, body: json)
        response.headers.append("Content-Type", "application/json")
        response.headers.append("Cache-Control", "no-store")
        respond(response)
    }

    /// Begins a streamed response with status 200; the writer of the stream ends the request's span with it.
    func startStream(
        headers: HTTPFields,
        delegate: any HTTPResponseStreamDelegate
    ) -> HTTPResponseStream {
        exchange.startStream(status: 200, headers: observed.beginningStream(headers), delegate: delegate)
    }
}
