internal import EventLoop
internal import HTTPServer
internal import Shared
internal import Tracing

/// A request on its way to its answer.
final class RequestContext {
    let request: HTTPRequest
    let exchange: HTTPExchange
    /// `X-Request-ID`: the client's own, or made here.
    let requestID: String
    /// The pattern of the matched route; what metrics may name.
    let route: String
    /// What the pattern's placeholder matched.
    let parameter: Substring?
    let startedAt = ContinuousClock.now
    let trace: RequestTrace
    /// What kind of error the answer is, where it is one.
    private(set) var problem: ProblemKind?

    private let onResponse: (RequestContext, Int, HTTPFields) -> Void
    private let extraHeaders: [(String, String)]

    init(
        request: HTTPRequest,
        exchange: HTTPExchange,
        requestID: String,
        route: String,
        parameter: Substring?,
        trace: RequestTrace,
        extraHeaders: [(String, String)],
        onResponse: @escaping (RequestContext, _ status: Int, _ headers: HTTPFields) -> Void
    ) {
        self.request = request
        self.exchange = exchange
        self.requestID = requestID
        self.route = route
        self.parameter = parameter
        self.trace = trace
        self.extraHeaders = extraHeaders
        self.onResponse = onResponse
        exchange.note(RequestNote(route: route, traceID: trace.span?.context.sampledTraceID))
    }

    func respond(_ response: HTTPResponse) {
        onResponse(self, response.status, response.headers)
        trace.answered(status: response.status, response.headers, problem)
        trace.span?.end()
        var response = response
        addCommonHeaders(&response.headers)
        exchange.respond(response)
    }

    func respond(_ problem: APIProblem) {
        self.problem = problem.kind
        respond(problem.response(path: request.path, requestID: requestID))
    }

    /// Answers with JSON.
    func respond(status: Int, headers: HTTPFields = [:], json: [UInt8]) {
        var response = HTTPResponse(status: status, headers: headers, body: json)
        response.headers.append("Content-Type", "application/json")
        response.headers.append("Cache-Control", "no-store")
        respond(response)
    }

    /// Begins a streamed answer; who writes it ends the request's span with it.
    func startStream(
        headers: HTTPFields,
        delegate: any HTTPResponseStreamDelegate
    ) -> HTTPResponseStream {
        onResponse(self, 200, headers)
        trace.answered(status: 200, headers, nil)
        var headers = headers
        addCommonHeaders(&headers)
        return exchange.startStream(status: 200, headers: headers, delegate: delegate)
    }

    private func addCommonHeaders(_ headers: inout HTTPFields) {
        headers.append("X-Request-ID", requestID)
        for (name, value) in extraHeaders { headers.append(name, value) }
    }

    /// The id in the path.
    func identifier<Identifier: UUIDIdentifier>(
        _: Identifier.Type = Identifier.self
    ) throws(APIProblem) -> Identifier {
        guard let parameter, let id = Identifier(parameter) else {
            throw APIProblem(.malformedRequest, "The id in the path must be a UUID.")
        }
        return id
    }

    /// The header's value, where it is 1 to `max` visible ASCII characters; nil where it is absent.
    static func visible(_ name: String, max: Int, in request: HTTPRequest) throws(APIProblem) -> String? {
        guard let value = request.headers[name] else { return nil }
        guard (1...max).contains(value.utf8.count), value.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw APIProblem(.malformedRequest, "\(name) must be 1 to \(max) visible ASCII characters.")
        }
        return value
    }
}
