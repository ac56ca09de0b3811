internal import Application
internal import HTTPServer
internal import Instrumentation
internal import Shared
internal import Tracing

/// A request's place in a trace: what the client sent, and the server's span where tracing is on.
///
/// Attributes are those of OpenTelemetry's semantic conventions for HTTP, without the query, in which there are
/// tickets.
struct RequestTrace {
    private let received: TraceContext?
    let span: Span?

    init(_ request: HTTPRequest, route: String, tracer: Tracer?) {
        received = request.headers["traceparent"].flatMap {
            TraceContext(traceparent: $0, tracestate: request.headers["tracestate"])
        }
        let isMatched = route.hasPrefix("/")
        let method = request.method.name
        span = tracer?.begin(isMatched ? "\(method) \(route)" : method, .server, parent: received)
        guard let span, span.isRecording else { return }
        span.set("http.request.method", .string(method))
        if isMatched {
            span.set("http.route", .string(route))
            span.set("url.path", .string(request.path))
        }
        span.set("network.protocol.version", request.version == .http11 ? "1.1" : "1.0")
    }

    /// What is done for this request continues from here.
    var context: TraceContext? { span?.context ?? received }

    /// Notes the answer's head; ``Span/end()`` follows when the answer is complete.
    func answered(status: Int, _ headers: HTTPFields, _ problem: ProblemKind?) {
        guard let span, span.isRecording else { return }
        span.set("http.response.status_code", .int(status))
        let id = headers.entries.first { $0.name == "X-Correlation-ID" }?.value
        span.set("lemma.correlation_id", id.map { .string($0) })
        // A client's mistake is none of the server's.
        if status >= 500 { span.fail(problem?.rawValue ?? String(status)) }
    }
}
