internal import Application
internal import HTTPServer
internal import Instrumentation
internal import Shared
internal import Tracing

/// A request's place in a trace: what the client sent, and the server's span where tracing is on.
///
/// Attributes are those of OpenTelemetry's semantic conventions for HTTP, without the query: it can hold a ticket.
struct RequestTrace {
    private let received: TraceContext?
    let span: Span?

    /// `isSecure` is nil where the connection is not known.
    init(_ request: HTTPRequest, isSecure: Bool?, route: String, tracer: Tracer?) {
        received = request.headers["traceparent"].flatMap {
            TraceContext(traceparent: $0, tracestate: request.headers["tracestate"])
        }
        let isMatched = route.hasPrefix("/")
        guard let tracer else {
            span = nil
            return
        }
        let method = Self.knownName(request.method)
        let title = method ?? "HTTP"
        let span = tracer.begin(isMatched ? "\(title) \(route)" : title, .server, parent: received)
        self.span = span
        guard span.isRecording else { return }
        span.set("http.request.method", .string(method ?? "_OTHER"))
        if let isSecure { span.set("url.scheme", isSecure ? "https" : "http") }
        if isMatched {
            span.set("http.route", .string(route))
            span.set("url.path", .string(request.path))
        }
        span.set("network.protocol.version", request.version == .http11 ? "1.1" : "1.0")
    }

    private init() { (received, span) = (nil, nil) }

    /// The place of a request that is not traced.
    static var none: RequestTrace { RequestTrace() }

    /// Nil for a method that the conventions do not know.
    private static func knownName(_ method: HTTPMethod) -> String? {
        switch method {
        case .get, .head, .post, .put, .patch, .delete, .options: method.name
        case .other(let name): ["CONNECT", "TRACE"].contains(name) ? name : nil
        }
    }

    /// The parent of everything that is done for this request.
    var context: TraceContext? { span?.context ?? received }

    /// Notes the response's head; ``Span/end()`` follows when the response is complete.
    func answered(status: Int, _ headers: HTTPFields, _ problem: ProblemKind?) {
        guard let span, span.isRecording else { return }
        span.set("http.response.status_code", .int(status))
        let id = headers.entries.first { $0.name == "X-Correlation-ID" }?.value
        span.set("lemma.correlation_id", id.map { .string($0) })
        // By the conventions, a client error is no failure of the server's span.
        if status >= 500 { span.fail(problem?.rawValue ?? String(status)) }
    }
}
