package import Application
internal import Domain
package import EventLoop
package import Instrumentation
internal import Shared
package import Telemetry

/// Writes what happened to requests into the archive, in batches of what is there at once.
///
/// ```
///  receive ──► keep ──┬─ kept ─────────────► acknowledge
///     ▲               ├─ archive away ─────► pause, keep again: the batch is held, the others wait in the queue
///     │               └─ refused for good ─► one half, then the other; a single one is put aside
///     └── every few seconds: take over from persisters that are gone
/// ```
/// What is not acknowledged is delivered again, to this persister or another one; the archive keeps it once. Loop-owned.
package final class Persister {
    /// Records kept in one transaction at most.
    ///
    /// Measured with `Benchmarks/run persister`.
    private static let batch = 500
    private static let takeOverPeriod: Int64 = 5000
    private static let watchPeriod = Duration.seconds(1)
    private static let tidyPeriod = Duration.seconds(60)
    private static let pauses = (first: Duration.milliseconds(100), last: Duration.seconds(2))

    private let loop: Loop
    private let queue: any RecordQueue
    private let membership: any QueueMembership
    private let archive: any RequestArchive
    private let backoff: Backoff
    private let metrics: PersisterMetrics
    private let logger: Logger
    private let onBacklog: (RecordBacklog) -> Void

    private var tasks: [Task<Void, Never>] = []
    private var keeping: Task<Void, Never>?
    private var isStopping = false
    private var isArchiveAway = false
    /// Loop time in milliseconds; nil before the first records were asked for, which makes the group where it is missing.
    private var tookOverAt: Int64?

    /// `onBacklog` hears every second of what waits.
    package init(
        loop: Loop,
        queue: any RecordQueue,
        membership: any QueueMembership,
        archive: any RequestArchive,
        backoff: Backoff,
        metrics: PersisterMetrics,
        logger: Logger,
        onBacklog: @escaping (RecordBacklog) -> Void
    ) {
        self.loop = loop
        self.queue = queue
        self.membership = membership
        self.archive = archive
        self.backoff = backoff
        self.metrics = metrics
        self.logger = logger
        self.onBacklog = onBacklog
    }

    package func start() {
        keeping = loop.spawn { await self.keepRecords() }
        tasks = [
            loop.spawn { await self.watchBacklog() },
            loop.spawn { await self.removeSilentConsumers() },
        ]
    }

    /// Keeps what is there, if that is possible within `limit`, and leaves the rest to the others.
    package func drain(within limit: Duration) async {
        isStopping = true
        queue.stopWaiting()
        let timer = loop.schedule(after: limit) { [keeping] in keeping?.cancel() }
        await keeping?.value
        timer.close()
        await membership.leave()
    }

    /// Ends everything at once.
    package func close() {
        isStopping = true
        keeping?.cancel()
        for task in tasks { task.cancel() }
    }

    // MARK: Keeping

    private func keepRecords() async {
        while true {
            let isLast = isStopping
            do throws(QueueFailure) {
                let records = try await nextRecords(waiting: !isLast)
                if !records.isEmpty { try await keep(records[...]) }
                if isLast, records.count < Self.batch { return }
            } catch {
                guard error != .cancelled, await pause(Self.pauses.last) else { return }
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
        // At once after the first time: what a dead persister has left has waited long enough.
        if tookOverAt == nil { tookOverAt = loop.nowMilliseconds - Self.takeOverPeriod }
        return records
    }

    /// Returns when each of the records is kept or put aside.
    private func keep(_ records: ArraySlice<QueuedRecord>) async throws(QueueFailure) {
        var limit = Self.pauses.first
        while true {
            do throws(ArchiveFailure) {
                try await archive.keep(records.map(\.entry))
                archiveAnswered()
                break
            } catch {
                switch error {
                case .refused(let detail):
                    archiveAnswered()
                    return try await sort(records, detail)
                case .unavailable:
                    archiveFailed()
                    guard await pause(limit) else { throw .cancelled }
                    limit = min(limit * 2, Self.pauses.last)
                }
            }
        }
        try await queue.acknowledge(Array(records))
        metrics.kept.increment(by: records.count)
    }

    /// Finds the one that the archive refuses.
    private func sort(_ records: ArraySlice<QueuedRecord>, _ detail: String) async throws(QueueFailure) {
        guard records.count > 1 else {
            for record in records {
                logger.error(
                    "record refused and put aside",
                    [
                        "correlation_id": .string(record.entry.request.correlationID.description),
                        "entry": .string(record.name), "error": .string(detail),
                    ],
                )
                metrics.refused.increment()
                try await queue.setAside(record, detail: detail)
            }
            return
        }
        let middle = records.startIndex + records.count / 2
        try await keep(records[..<middle])
        try await keep(records[middle...])
    }

    private func archiveFailed() {
        metrics.failures.increment()
        guard !isArchiveAway else { return }
        isArchiveAway = true
        logger.warning("postgres does not take records; they wait")
    }

    private func archiveAnswered() {
        guard isArchiveAway else { return }
        isArchiveAway = false
        logger.info("postgres takes records again")
    }

    /// False when this persister is being stopped.
    private func pause(_ limit: Duration) async -> Bool {
        (try? await loop.sleep(for: backoff.jittered(limit))) != nil
    }

    // MARK: Watching

    private func watchBacklog() async {
        repeat {
            // What fails is told the next time.
            let backlog = try? await queue.backlog()
            metrics.showBacklog(backlog.map { ($0.records, $0.age) })
            if let backlog { onBacklog(backlog) }
        } while (try? await loop.sleep(for: Self.watchPeriod)) != nil
    }

    private func removeSilentConsumers() async {
        while (try? await loop.sleep(for: Self.tidyPeriod)) != nil {
            _ = try? await membership.removeSilentConsumers()
        }
    }
}
