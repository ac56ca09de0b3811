import Application
import Domain
import HTTPServer
import Instrumentation
import PostgresClient
import RedisClient
import Shared
import Telemetry

/// Counts what Redis clients report.
final class RedisMetrics: RedisObserver {
    private let metrics: LemmaMetrics
    private let logger: Logger

    init(_ metrics: LemmaMetrics, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
    }

    func commandFinished(after duration: Duration, succeeded: Bool) {
        metrics.redisSeconds.observe(duration)
        if !succeeded { metrics.redisFailures.increment() }
    }

    func connected(again: Bool) {
        guard again else { return }
        metrics.redisReconnects.increment()
        logger.info("redis is back")
    }

    func connectionFailed(reason: String) { logger.warning("redis cannot be reached", ["error": .string(reason)]) }

    func timedOut() { metrics.redisTimeouts.increment() }
}

/// Counts what the pool of PostgreSQL reports.
final class PostgresMetrics: PostgresObserver {
    private let metrics: LemmaMetrics
    private let logger: Logger

    init(_ metrics: LemmaMetrics, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
    }

    func waited(_ duration: Duration) { metrics.postgresWaitSeconds.observe(duration) }

    func batchFinished(after duration: Duration, succeeded: Bool) {
        metrics.postgresSeconds.observe(duration)
        if !succeeded { metrics.postgresFailures.increment() }
    }

    func connectionOpened() { metrics.postgresConnections.increment() }

    func connectionClosed(isLost: Bool) {
        metrics.postgresConnections.decrement()
        guard isLost else { return }
        metrics.postgresLost.increment()
        logger.warning("connection to postgres lost")
    }

    func connectionFailed(reason: String) {
        metrics.postgresUnreachable.increment()
        logger.warning("postgres cannot be reached", ["error": .string(reason)])
    }

    func timedOut() { metrics.postgresTimeouts.increment() }
}

/// Counts what the HTTP server reports.
struct HTTPMetrics: HTTPServerMetrics {
    private let metrics: LemmaMetrics

    init(_ metrics: LemmaMetrics) { self.metrics = metrics }

    func connectionOpened() { metrics.httpConnections.increment() }
    func connectionClosed() { metrics.httpConnections.decrement() }

    func requestEnded(method: HTTPMethod, status: Int?, duration: Duration) {
        metrics.httpSeconds.observe(duration)
    }

    func badRequest(_ reason: RequestRefusal) { metrics.httpMalformed.increment() }
}

extension Logger {
    /// Tells how a request ended: one line for each, which has what an operator asks first.
    func note(_ event: MathRequestFinished) {
        var fields: LogFields = [
            "correlation_id": .string(event.correlationID.description), "status": .string(event.status.rawValue),
            "attempt": .int(Int(event.attempt)), "provider": .string(event.provider),
            "queue_ms": .int(event.queueMilliseconds), "duration_ms": .int(event.durationMilliseconds),
            "input_tokens": .int(event.usage.inputTokens), "output_tokens": .int(event.usage.outputTokens),
        ]
        fields["first_token_ms"] = event.firstTokenMilliseconds.map { .int($0) }
        info("request finished", fields)
    }
}

extension LemmaMetrics {
    /// Counts a request that reached its end on this worker.
    func observe(_ event: MathRequestFinished) {
        switch event.status {
        case .completed: completed.increment()
        case .failed: failed.increment()
        case .cancelled: cancelled.increment()
        case .queued, .running: break
        }
        queueSeconds.observe(.milliseconds(event.queueMilliseconds))
        if let first = event.firstTokenMilliseconds { firstTokenSeconds.observe(.milliseconds(first)) }
        attemptSeconds.observe(.milliseconds(event.durationMilliseconds))
    }
}
