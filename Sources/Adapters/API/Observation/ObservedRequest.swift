internal import HTTPServer
internal import Shared
internal import Tracing

/// A request from the first to the last stage of its pipeline: what is traced, counted and logged of it.
struct ObservedRequest {
    let request: HTTPRequest
    /// The route's label, `preflight`, or `none` where there is no route.
    let route: String
    /// The client's own `X-Request-ID`, or one made here; nil where the listener is not observed.
    let requestID: String?
    let startedAt = ContinuousClock.now
    let trace: RequestTrace
    private let crossOriginHeaders: [(String, String)]
    private let observer: RequestObserver?

    /// `isSecure` is nil where the connection is not known.
    init(
        _ request: HTTPRequest,
        route: String,
        requestID: RequestID,
        isSecure: Bool?,
        crossOriginHeaders: [(String, String)],
        observer: RequestObserver?
    ) {
        self.request = request
        self.route = route
        self.requestID = observer?.name(requestID)
        trace = observer?.trace(request, route: route, isSecure: isSecure) ?? .none
        self.crossOriginHeaders = crossOriginHeaders
        self.observer = observer
    }

    /// Notes a response and ends the request's span; returns the response with the headers that all responses have.
    func completing(_ response: HTTPResponse) -> HTTPResponse { complete(response, nil) }

    /// The same for a response that is a problem document.
    func completing(_ problem: APIProblem) -> HTTPResponse {
        complete(problem.response(path: request.path, requestID: requestID), problem.kind)
    }

    private func complete(_ response: HTTPResponse, _ problem: ProblemKind?) -> HTTPResponse {
        observer?.note(self, response.status, response.headers, problem)
        trace.span?.end()
        var response = response
        addCommonHeaders(&response.headers)
        return response
    }

    /// Notes the head of a streamed response, whose span stays open; returns its headers with the common ones.
    func beginningStream(_ headers: HTTPFields) -> HTTPFields {
        observer?.note(self, 200, headers, nil)
        var headers = headers
        addCommonHeaders(&headers)
        return headers
    }

    private func addCommonHeaders(_ headers: inout HTTPFields) {
        if let requestID { headers.append("X-Request-ID", requestID) }
        headers.append("X-Content-Type-Options", "nosniff")
        for (name, value) in crossOriginHeaders { headers.append(name, value) }
    }
}
