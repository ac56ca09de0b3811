import API
import HTTPServer
import Instrumentation
import Synchronization
import Telemetry

/// Counts the requests and connections of the HTTP server.
final class CountingHTTPMetrics: HTTPServerMetrics {
    private struct Route: Hashable {
        let method: String
        let pattern: String
    }

    private let metrics: HTTPMetrics
    /// Cached by route, because the registry's lookup is slow.
    private let seconds = Mutex<[Route: Histogram]>([:])

    init(_ metrics: HTTPMetrics) { self.metrics = metrics }

    func connectionOpened() { metrics.connections.increment() }
    func connectionClosed() { metrics.connections.decrement() }

    func requestEnded(method: HTTPMethod, note: RequestNote?, status: Int?, duration: Duration) {
        histogram(Route(method: method.label, pattern: note?.route ?? "none"))
            .observe(duration, exemplar: note?.traceID)
    }

    private func histogram(_ route: Route) -> Histogram {
        seconds.withLock { seconds in
            if let histogram = seconds[route] { return histogram }
            let histogram = metrics.seconds(method: route.method, route: route.pattern)
            seconds[route] = histogram
            return histogram
        }
    }

    func badRequest(_ reason: RequestRefusal) {
        switch reason {
        case .malformedRequestLine: metrics.malformed[.requestLine].increment()
        case .malformedTarget: metrics.malformed[.target].increment()
        case .malformedHeader: metrics.malformed[.header].increment()
        case .malformedHost: metrics.malformed[.host].increment()
        case .malformedFraming: metrics.malformed[.framing].increment()
        case .malformedBody: metrics.malformed[.body].increment()
        case .truncated: metrics.malformed[.truncated].increment()
        case .expectationUnknown: metrics.malformed[.expectation].increment()
        case .methodNotImplemented: metrics.malformed[.method].increment()
        case .codingNotImplemented: metrics.malformed[.coding].increment()
        case .versionNotSupported: metrics.malformed[.version].increment()
        case .timedOut: metrics.limits[.arrivalTime].increment()
        case .bodyTooLarge: metrics.limits[.bodySize].increment()
        case .targetTooLong: metrics.limits[.targetSize].increment()
        case .headTooLarge: metrics.limits[.headSize].increment()
        }
    }

    func connectionEnded(by limit: ConnectionLimit) {
        switch limit {
        case .connections: metrics.limits[.connections].increment()
        case .addressConnections: metrics.limits[.addressConnections].increment()
        case .responseStall: metrics.limits[.responseStall].increment()
        case .streamStall: metrics.limits[.streamStall].increment()
        }
    }
}
