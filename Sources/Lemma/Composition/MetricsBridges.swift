import API
import Application
import Domain
import HTTPServer
import Instrumentation
import PostgresClient
import RedisClient
import Synchronization
import Telemetry

/// Counts what Redis clients report.
final class CountingRedisObserver: RedisObserver {
    private let metrics: RedisMetrics
    private let logger: Logger

    init(_ metrics: RedisMetrics, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
    }

    func commandFinished(after duration: Duration, succeeded: Bool) {
        metrics.seconds.observe(duration)
        if !succeeded { metrics.failures.increment() }
    }

    func connected(again: Bool) {
        guard again else { return }
        metrics.reconnects.increment()
        logger.info("redis is back")
    }

    func connectionFailed(reason: String) { logger.warning("redis cannot be reached", ["error": .string(reason)]) }

    func timedOut() { metrics.timeouts.increment() }
}

/// Counts what the pool of PostgreSQL reports.
final class CountingPostgresObserver: PostgresObserver {
    private let metrics: PostgresMetrics
    private let logger: Logger

    init(_ metrics: PostgresMetrics, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
    }

    func waited(_ duration: Duration) { metrics.waitSeconds.observe(duration) }

    func batchFinished(after duration: Duration, succeeded: Bool) {
        metrics.seconds.observe(duration)
        if !succeeded { metrics.failures.increment() }
    }

    func connectionOpened() { metrics.connections.increment() }

    func connectionClosed(isLost: Bool) {
        metrics.connections.decrement()
        guard isLost else { return }
        metrics.lost.increment()
        logger.warning("connection to postgres lost")
    }

    func usageChanged(inUse: Int, waiting: Int) {
        metrics.connectionsInUse.set(inUse)
        metrics.waiting.set(waiting)
    }

    func connectionFailed(reason: String) {
        metrics.unreachable.increment()
        logger.warning("postgres cannot be reached", ["error": .string(reason)])
    }

    func timedOut() { metrics.timeouts.increment() }
}

/// Counts what the HTTP server reports.
final class CountingHTTPMetrics: HTTPServerMetrics {
    private struct Route: Hashable {
        let method: String
        let pattern: String
    }

    private let metrics: HTTPMetrics
    /// Taken once for each route, because taking one searches the registry.
    private let seconds = Mutex<[Route: Histogram]>([:])

    init(_ metrics: HTTPMetrics) { self.metrics = metrics }

    func connectionOpened() { metrics.connections.increment() }
    func connectionClosed() { metrics.connections.decrement() }

    func requestEnded(method: HTTPMethod, route: String?, status: Int?, duration: Duration) {
        histogram(Route(method: method.label, pattern: route ?? "none")).observe(duration)
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
        case .responseStall: metrics.limits[.responseStall].increment()
        case .streamStall: metrics.limits[.streamStall].increment()
        }
    }
}

extension LemmaMetrics {
    /// Counts a request that reached its end on this worker.
    func observe(_ event: MathRequestFinished) {
        switch event.status {
        case .completed: work.finished[.completed].increment()
        case .failed: work.finished[.failed].increment()
        case .cancelled: work.finished[.cancelled].increment()
        case .queued, .running: break
        }
        queue.waitSeconds.observe(.milliseconds(event.queueMilliseconds))
        if let first = event.firstTokenMilliseconds { work.firstTokenSeconds.observe(.milliseconds(first)) }
        work.attemptSeconds.observe(.milliseconds(event.durationMilliseconds))
    }
}
