package import Application
package import EventLoop
package import Instrumentation
package import Telemetry

/// Notified of the archive's lag every second, on the persister's loop.
package protocol BacklogObserver: AnyObject {
    func observed(_ backlog: RecordBacklog)
}

/// Moves records from the queue into the archive, in batches of what is there.
///
/// ```
///  receive ──► write ──┬─ archived ───────────► acknowledge
///     ▲                ├─ archive unavailable ► pause, write again: the batch is held, other records wait in the queue
///     │                └─ rejected ───────────► one half, then the other; a single record becomes a dead letter
///     └── every few seconds: take over from silent persisters
/// ```
/// A record that is not acknowledged is redelivered, to any persister; the archive stores it once, or discards it where its
/// account is erased. Loop-owned.
package final class Persister {
    /// Records in one transaction, at most.
    ///
    /// Measured with `Benchmarks/run persister`.
    private static let batch = 500
    /// In milliseconds of loop time.
    private static let takeOverPeriod: Int64 = 5000
    private static let backlogPeriod = Duration.seconds(1)
    private static let tidyPeriod = Duration.seconds(60)

    private let loop: Loop
    private let queue: any RecordQueue
    private let membership: any QueueMembership
    private let writer: RecordWriter
    private let metrics: PersisterMetrics
    private let observer: (any BacklogObserver)?

    private var persisting: Task<Void, Never>?
    private var periodicTasks: [PeriodicTask] = []
    private var isStopping = false
    /// Loop time in milliseconds; nil before the first receive, which creates a missing consumer group.
    private var tookOverAt: Int64?

    package init(
        loop: Loop,
        queue: any RecordQueue,
        membership: any QueueMembership,
        archive: any RequestArchive,
        erasure: any QueueErasure,
        backoff: Backoff,
        metrics: PersisterMetrics,
        logger: Logger,
        observer: (any BacklogObserver)?
    ) {
        self.loop = loop
        self.queue = queue
        self.membership = membership
        self.metrics = metrics
        self.observer = observer
        writer = RecordWriter(
            loop: loop,
            queue: queue,
            archive: archive,
            erasure: erasure,
            backoff: backoff,
            metrics: metrics,
            logger: logger,
        )
    }

    package func start() {
        persisting = loop.spawn { await self.persist() }
        periodicTasks = [
            PeriodicTask(every: Self.backlogPeriod, on: loop, runsImmediately: true) { await self.measureBacklog() },
            PeriodicTask(every: Self.tidyPeriod, on: loop) { [membership] in
                // The next run repeats a failed call.
                _ = try? await membership.removeIdleConsumers()
            },
        ]
    }

    /// Archives the records that are there, within `limit`, and leaves the rest to other persisters.
    package func drain(within limit: Duration) async {
        isStopping = true
        queue.stopWaiting()
        let timer = loop.schedule(after: limit) { [persisting] in persisting?.cancel() }
        await persisting?.value
        timer.close()
        await membership.leave()
    }

    /// Ends everything at once.
    package func close() {
        isStopping = true
        persisting?.cancel()
        for task in periodicTasks { task.cancel() }
    }

    private func persist() async {
        while true {
            let isLast = isStopping
            do throws(QueueFailure) {
                let records = try await nextRecords(waiting: !isLast)
                if !records.isEmpty { try await writer.write(records[...]) }
                if isLast, records.count < Self.batch { return }
            } catch {
                guard error != .cancelled, await writer.pauseAfterQueueFailure() else { return }
            }
        }
    }

    private func nextRecords(waiting: Bool) async throws(QueueFailure) -> [QueuedRecord] {
        if waiting, let tookOverAt, loop.nowMilliseconds - tookOverAt >= Self.takeOverPeriod {
            self.tookOverAt = loop.nowMilliseconds
            let records = try await queue.takeOver(upTo: Self.batch)
            if !records.isEmpty { return records }
        }
        let records = try await queue.receive(upTo: Self.batch, waiting: waiting)
        // The first take-over follows at once: a dead persister's records have waited long enough.
        if tookOverAt == nil { tookOverAt = loop.nowMilliseconds - Self.takeOverPeriod }
        return records
    }

    private func measureBacklog() async {
        // After a failure the metrics have no value until the next run.
        let backlog = try? await queue.backlog()
        metrics.showBacklog(backlog.map { ($0.records, $0.age) })
        if let backlog { observer?.observed(backlog) }
    }
}
