import Application
import Domain
import Infrastructure
import Instrumentation
import PostgresClient
import RedisClient
import Shared
import Telemetry
import Tracing

/// Counts what Redis clients report.
final class CountingRedisObserver: RedisObserver {
    private let metrics: RedisMetrics
    private let kind: RedisConnectionKind
    private let logger: Logger

    init(_ metrics: RedisMetrics, _ kind: RedisConnectionKind, logger: Logger) {
        self.metrics = metrics
        self.kind = kind
        self.logger = logger
    }

    func commandFinished(after duration: Duration, succeeded: Bool) {
        guard kind == .commands else { return }
        metrics.seconds.observe(duration)
        if !succeeded { metrics.failures.increment() }
    }

    func connected(again: Bool) {
        guard again else { return }
        metrics.reconnects[kind].increment()
        // One line for all connections of a loop.
        if kind == .commands { logger.info("redis is back") }
    }

    func connectionFailed(reason: String) {
        if kind == .commands { logger.warning("redis cannot be reached", ["error": .string(reason)]) }
    }

    /// Logged for every connection: only one of them may have lost the permission.
    func permissionMissing(reason: String) {
        logger.warning(
            "redis user lacks a permission",
            ["connection": .string(kind.rawValue), "error": .string(reason)],
        )
    }

    func timedOut() { metrics.timeouts[kind].increment() }
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

extension Logger {
    /// Tells how a request ended: one line for each, which has what an operator asks first.
    func note(_ event: MathRequestFinished) {
        var fields: LogFields = [
            "correlation_id": .string(event.correlationID.description),
            "status": .string(event.outcome.status.rawValue),
            "attempt": .int(Int(event.attempt)), "provider": .string(event.provider),
            "queue_ms": .int(event.queueMilliseconds), "duration_ms": .int(event.durationMilliseconds),
            "input_tokens": .int(event.usage.inputTokens), "output_tokens": .int(event.usage.outputTokens),
        ]
        fields.add(event.trace.flatMap { TraceContext($0) })
        fields["first_token_ms"] = event.firstTokenMilliseconds.map { .int($0) }
        info("request finished", fields)
    }
}

extension LemmaMetrics {
    /// Counts what a worker does.
    func observe(_ bus: LocalEventBus) {
        bus.subscribe(to: AttemptStarted.self) { event in
            work.started[event.cause].increment()
            switch event.cause {
            case .first, .redriven:
                work.queueWaitSeconds.observe(.milliseconds(event.queueMilliseconds), exemplar: event.trace?.sampledID)
            case .workerLost, .handedOver, .providerFailed, .historyLost: break
            }
        }
        bus.subscribe(to: AttemptEnded.self) { event in
            work.ended[event.result].increment()
            let exemplar = event.trace?.sampledID
            if let first = event.firstTokenMilliseconds {
                work.firstTokenSeconds.observe(.milliseconds(first), exemplar: exemplar)
            }
            work.attemptSeconds.observe(.milliseconds(event.durationMilliseconds), exemplar: exemplar)
        }
        bus.subscribe(to: MathRequestFinished.self) { event in
            let duration = Duration.milliseconds(event.totalMilliseconds)
            outcomes.count(event.outcome, after: duration, exemplar: event.trace?.sampledID)
            if event.isGivenUp { work.deadLetters[.attemptsExhausted].increment() }
        }
    }

    /// Counts a request that ended without a worker.
    func observe(_ end: StoredEnd) {
        switch end {
        case .cancelled(let reason, let duration): outcomes.count(.cancelled(reason), after: duration)
        case .expired: outcomes.countExpired()
        case .failed(let kind, let duration):
            outcomes.count(.failed(RequestFailure(kind: kind, detail: "")), after: duration)
            work.deadLetters[kind == .removedFromQueue ? .removedFromQueue : .unreadable].increment()
        }
    }
}
