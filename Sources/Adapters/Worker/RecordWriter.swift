internal import Application
internal import Domain
internal import EventLoop
internal import Instrumentation
internal import Shared
internal import Telemetry

/// Writes batches of records into the archive and acknowledges them.
///
/// Loop-owned.
///
/// A batch waits while the archive is unavailable. A batch that the archive rejects permanently is halved until the one
/// rejected record is found, which becomes a dead letter. Records of accounts that are erased are acknowledged like others,
/// after what they name has been erased from the queue's store.
final class RecordWriter {
    /// Pauses while the archive is unavailable, doubling from the first to the last.
    private static let pauses = (first: Duration.milliseconds(100), last: Duration.seconds(2))

    private let loop: Loop
    private let queue: any RecordQueue
    private let archive: any RequestArchive
    private let erasure: any QueueErasure
    private let backoff: Backoff
    private let metrics: PersisterMetrics
    private let logger: Logger
    private var isArchiveAvailable = true

    init(
        loop: Loop,
        queue: any RecordQueue,
        archive: any RequestArchive,
        erasure: any QueueErasure,
        backoff: Backoff,
        metrics: PersisterMetrics,
        logger: Logger
    ) {
        self.loop = loop
        self.queue = queue
        self.archive = archive
        self.erasure = erasure
        self.backoff = backoff
        self.metrics = metrics
        self.logger = logger
    }

    /// Returns when each record is archived or dead-lettered.
    func write(_ records: ArraySlice<QueuedRecord>) async throws(QueueFailure) {
        var limit = Self.pauses.first
        var discarded: Set<AccountID> = []
        while true {
            do throws(ArchiveFailure) {
                discarded = try await archive.add(records.map(\.entry))
                archiveReplied()
                break
            } catch {
                switch error {
                case .refused(let detail):
                    archiveReplied()
                    return try await split(records, detail)
                case .unavailable:
                    archiveFailed()
                    guard await pause(limit) else { throw .cancelled }
                    limit = min(limit * 2, Self.pauses.last)
                }
            }
        }
        if !discarded.isEmpty { try await erase(records, of: discarded) }
        try await queue.acknowledge(Array(records))
        metrics.kept.increment(by: records.count)
    }

    /// Erases from the queue's store what discarded records name.
    ///
    /// What a worker still runs is erased with the record of its end.
    private func erase(_ records: ArraySlice<QueuedRecord>, of accounts: Set<AccountID>) async throws(QueueFailure) {
        let discarded = records.map(\.entry.request).filter { $0.userID.account.map(accounts.contains) ?? false }
        for (id, requests) in Dictionary(grouping: discarded, by: \.conversationID) {
            for (user, requests) in Dictionary(grouping: requests, by: \.userID) {
                let ids = requests.map(\.correlationID)
                do {
                    _ = try await erasure.erase(ErasedConversation(id: id, user: user, requests: ids))
                } catch {
                    throw .unavailable
                }
            }
        }
    }

    /// Pauses after a failure of the queue; false when the task was cancelled.
    func pauseAfterQueueFailure() async -> Bool { await pause(Self.pauses.last) }

    /// Writes the halves of a rejected batch; dead-letters a single record.
    private func split(_ records: ArraySlice<QueuedRecord>, _ detail: String) async throws(QueueFailure) {
        guard records.count > 1 else {
            for record in records { try await deadLetter(record, detail) }
            return
        }
        let middle = records.startIndex + records.count / 2
        try await write(records[..<middle])
        try await write(records[middle...])
    }

    private func deadLetter(_ record: QueuedRecord, _ detail: String) async throws(QueueFailure) {
        logger.error(
            "record rejected and dead-lettered",
            [
                "correlation_id": .string(record.entry.request.correlationID.description),
                "entry": .string(record.name), "error": .string(detail),
            ],
        )
        metrics.refused.increment()
        try await queue.deadLetter(record, detail: detail)
    }

    private func archiveFailed() {
        metrics.failures.increment()
        guard isArchiveAvailable else { return }
        isArchiveAvailable = false
        logger.warning("postgres does not take records; they wait")
    }

    private func archiveReplied() {
        guard !isArchiveAvailable else { return }
        isArchiveAvailable = true
        logger.info("postgres takes records again")
    }

    private func pause(_ limit: Duration) async -> Bool {
        (try? await loop.sleep(for: backoff.jittered(limit))) != nil
    }
}
