import Domain
import Infrastructure
import Instrumentation
import PostgresClient
import RedisClient
import Telemetry

// Observers of I/O that count and log; see "How a metric is fed" in docs/architecture.md.

/// Counts the commands and connections of Redis clients.
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

/// Counts the rejected calls and dropped dead letters of a store.
final class CountingStoreObserver: RedisStoreObserver {
    private let metrics: LemmaMetrics
    private let logger: Logger

    init(_ metrics: LemmaMetrics, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
    }

    func deadLettersDropped(_ count: Int) { metrics.work.deadLettersDropped.increment(by: count) }

    func callRefused(function: String, error: String) {
        metrics.redis.refused.increment()
        logger.error("redis refused a call", ["function": .string(function), "error": .string(error)])
    }
}

/// Counts the job entries that this release does not process.
final class CountingJobEntryObserver: StreamEntryObserver {
    private let metrics: WorkMetrics
    private let logger: Logger

    init(_ metrics: WorkMetrics, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
    }

    func foundMalformed(entry: String) {
        metrics.refused[.malformed].increment()
        metrics.deadLetters[.malformed].increment()
        logger.error("malformed job dead-lettered", ["entry": .string(entry)])
    }

    func foundLaterVersion() { metrics.refused[.laterVersion].increment() }
}

/// Counts the records that this release does not process.
final class CountingRecordEntryObserver: StreamEntryObserver {
    private let metrics: PersisterMetrics
    private let logger: Logger

    init(_ metrics: PersisterMetrics, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
    }

    func foundMalformed(entry: String) {
        metrics.refused.increment()
        logger.error("malformed record dead-lettered", ["entry": .string(entry)])
    }

    /// Such a record stays in the backlog, which has a metric of its own.
    func foundLaterVersion() {}
}

/// Counts the batches and connections of the PostgreSQL pool.
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
