package import Application
package import HTTPServer
package import Instrumentation
internal import Shared
internal import Telemetry
package import Tracing

/// The first and the last stage of a pipeline: names and traces requests, counts and logs their responses.
///
/// Loop-owned.
package final class RequestObserver {
    private struct Series: Hashable {
        let method: String
        let route: String
        let status: Int
    }

    private let identifiers: IdentifierFactory
    private let metrics: HTTPMetrics
    private let accessLog: AccessLog
    private let tracer: Tracer?
    /// Looked up once for each series, because the registry is shared by all loops.
    private var responses: [Series: Counter] = [:]

    /// `tracer` is nil where tracing is off.
    package init(identifiers: IdentifierFactory, metrics: HTTPMetrics, accessLog: AccessLog, tracer: Tracer?) {
        self.identifiers = identifiers
        self.metrics = metrics
        self.accessLog = accessLog
        self.tracer = tracer
    }

    /// Makes the route's series, so that they exist before its first request.
    func prepare(_ route: Route) { metrics.prepare(method: route.method.name, route: route.label) }

    func name(_ id: RequestID) -> String {
        switch id {
        case .own(let id): id
        case .absent, .invalid: identifiers.make(CorrelationID.self).description
        }
    }

    func trace(_ request: HTTPRequest, route: String, isSecure: Bool?) -> RequestTrace {
        RequestTrace(request, isSecure: isSecure, route: route, tracer: tracer)
    }

    /// Called once for each response, when its head is known.
    func note(_ request: ObservedRequest, _ status: Int, _ headers: HTTPFields, _ problem: ProblemKind?) {
        counter(Series(method: request.request.method.label, route: request.route, status: status)).increment()
        accessLog.note(request, status, headers, problem)
        request.trace.answered(status: status, headers, problem)
    }

    private func counter(_ series: Series) -> Counter {
        if let counter = responses[series] { return counter }
        let counter = metrics.responses(method: series.method, route: series.route, status: series.status)
        responses[series] = counter
        return counter
    }
}

extension HTTPMethod {
    /// One of a closed set, for metrics.
    package var label: String {
        if case .other = self { "other" } else { name }
    }
}
