import Application
import ArchiveSupport
import Domain
import EventLoop
import Instrumentation
import Shared
import Telemetry
import TestSupport
import Testing

@testable import Worker

/// Records that wait, in memory.
private final class QueueFake: RecordQueue, QueueMembership {
    var waiting: [QueuedRecord] = []
    var orphans: [QueuedRecord] = []
    /// Answers of `acknowledge` before it works.
    var acknowledgeFailures = 0
    private(set) var acknowledged: [String] = []
    private(set) var aside: [String] = []
    private(set) var hasLeft = false
    private let loop: Loop

    init(loop: Loop) { self.loop = loop }

    func receive(upTo count: Int, waiting mayWait: Bool) async throws(QueueFailure) -> [QueuedRecord] {
        do {
            // The wait of an empty queue.
            if waiting.isEmpty, mayWait { try await loop.sleep(for: .milliseconds(2)) }
        } catch {
            throw .cancelled
        }
        defer { waiting = Array(waiting.dropFirst(count)) }
        return Array(waiting.prefix(count))
    }

    func stopWaiting() {}

    func takeOver(upTo count: Int) async throws(QueueFailure) -> [QueuedRecord] {
        defer { orphans = [] }
        return orphans
    }

    func acknowledge(_ records: [QueuedRecord]) async throws(QueueFailure) {
        if acknowledgeFailures > 0 {
            acknowledgeFailures -= 1
            orphans = records
            throw .unavailable
        }
        acknowledged += records.map(\.name)
    }

    func deadLetter(_ record: QueuedRecord, detail: String) async throws(QueueFailure) { aside.append(record.name) }
    func backlog() async throws(QueueFailure) -> RecordBacklog {
        RecordBacklog(records: waiting.count, age: .milliseconds(1500))
    }
    func leave() async { hasLeft = true }
    func removeIdleConsumers() async throws(QueueFailure) -> Int { 0 }
}

/// Stores batches, or fails by script.
private final class ArchiveFake: RequestArchive {
    /// Called before each batch.
    var onKeep: ([ArchiveEntry]) -> ArchiveFailure? = { _ in nil }
    private(set) var batches: [Int] = []
    private(set) var kept: [CorrelationID] = []
    /// Accounts whose entries are discarded.
    var missing: Set<AccountID> = []

    func add(_ entries: [ArchiveEntry]) async throws(ArchiveFailure) -> Set<AccountID> {
        batches.append(entries.count)
        if let failure = onKeep(entries) { throw failure }
        let discarded = missing.intersection(entries.compactMap(\.request.userID.account))
        for request in entries.map(\.request) where request.userID.account.map(discarded.contains) != true {
            kept.append(request.correlationID)
        }
        return discarded
    }

    func find(_ id: CorrelationID, of user: UserID) async throws(RepositoryFailure) -> ArchivedRequest? { nil }
    func isDeleted(_ id: CorrelationID, of user: UserID) async throws(RepositoryFailure) -> Bool { false }
    func recentTurns(
        of conversation: ConversationID,
        limit: Int,
        textMax: Int
    ) async throws(RepositoryFailure) -> [ConversationTurn] { [] }
}

/// Notes what is erased.
private final class ErasureFake: QueueErasure {
    private(set) var erased: [ErasedConversation] = []
    /// Answers of `erase` before it works.
    var failures = 0

    func erase(_ conversation: ErasedConversation) async throws(RepositoryFailure) -> Bool {
        if failures > 0 {
            failures -= 1
            throw .unavailable
        }
        erased.append(conversation)
        return false
    }

    func eraseStrays(of conversations: [ErasedConversation]) async throws(RepositoryFailure) {}
    func eraseDeadLetters(of account: AccountID) async throws(RepositoryFailure) -> Bool { true }
    func newestRecords() async throws(RepositoryFailure) -> RecordPlaces { RecordPlaces([]) }
    func hasArchived(_ places: RecordPlaces) async throws(RepositoryFailure) -> Bool { true }
}

private struct HalfRandom: RandomSource {
    func next() -> UInt64 { 1 << 50 }
}

private final class BacklogRecorder: BacklogObserver {
    private(set) var backlogs: [RecordBacklog] = []
    func observed(_ backlog: RecordBacklog) { backlogs.append(backlog) }
}

private final class Bench {
    let loop: Loop
    let queue: QueueFake
    let archive = ArchiveFake()
    let erasure = ErasureFake()
    let metrics = LemmaMetrics(MetricsRegistry()).persister
    private let observer = BacklogRecorder()
    var backlogs: [RecordBacklog] { observer.backlogs }
    let persister: Persister

    init(_ loop: Loop) {
        self.loop = loop
        queue = QueueFake(loop: loop)
        let output = LogOutput(descriptor: -1, service: "test", version: "0", level: .error, format: .json)
        persister = Persister(
            loop: loop,
            queue: queue,
            membership: queue,
            archive: archive,
            erasure: erasure,
            backoff: Backoff(random: HalfRandom()),
            metrics: metrics,
            logger: Logger(output: output),
            observer: observer,
        )
    }

    static func records(_ numbers: ClosedRange<UInt64>, of user: UserID = .anonymous) -> [QueuedRecord] {
        numbers.map { number in
            let entry = ArchiveEntry.finished(Samples(user: user, number: 1).finished(number, at: 0))
            return QueuedRecord(partition: 0, name: "\(number)", entry: entry)
        }
    }
}

private func withPersister(_ body: @escaping @Sendable (Bench) async throws -> Void) async throws {
    try await onLoop { loop in
        let bench = Bench(loop)
        defer { bench.persister.close() }
        try await body(bench)
    }
}

@Suite("The persister", .tags(.unit))
struct PersisterTests {
    @Test("what is there goes in one batch, up to a limit, and is acknowledged when it is kept")
    func batches() async throws {
        try await withPersister { bench in
            bench.queue.waiting = Bench.records(1...700)
            bench.persister.start()
            try await eventually("all of it", on: bench.loop) { bench.queue.acknowledged.count == 700 }
            #expect(bench.archive.batches == [500, 200])
            #expect(bench.metrics.kept.value == 700)
            bench.queue.waiting = Bench.records(701...701)
            try await eventually("one by itself", on: bench.loop) { bench.queue.acknowledged.count == 701 }
            #expect(bench.backlogs.first?.age == .milliseconds(1500))
            #expect(bench.metrics.backlogAgeSeconds.value == 1.5)
        }
    }

    @Test("while the archive is away one batch is held, and then kept once")
    func away() async throws {
        try await withPersister { bench in
            var failures = 5
            bench.archive.onKeep = { _ in
                #expect(bench.queue.acknowledged.isEmpty)
                failures -= 1
                return failures >= 0 ? .unavailable : nil
            }
            bench.queue.waiting = Bench.records(1...3)
            bench.persister.start()
            try await eventually("the end of it", on: bench.loop) { bench.queue.acknowledged == ["1", "2", "3"] }
            #expect(bench.archive.kept.count == 3)
            #expect(bench.metrics.failures.value == 5)
            bench.archive.onKeep = { _ in nil }
        }
    }

    @Test("a refused record is found by halving and dead-lettered; all others are archived")
    func refused() async throws {
        try await withPersister { bench in
            let records = Bench.records(1...100)
            let bad = Set([7, 8, 99].map { records[$0].entry.request.correlationID })
            bench.archive.onKeep = { entries in
                entries.contains { bad.contains($0.request.correlationID) } ? .refused(detail: "SQLSTATE 23514") : nil
            }
            bench.queue.waiting = records
            bench.persister.start()
            try await eventually("all of it", on: bench.loop) { bench.queue.acknowledged.count == 97 }
            #expect(bench.queue.aside == ["8", "9", "100"])
            #expect(bench.archive.kept.count == 97 && bad.isDisjoint(with: bench.archive.kept))
            #expect(bench.metrics.refused.value == 3)
            #expect(bench.archive.batches.count < 40)
        }
    }

    @Test("what could not be acknowledged, by this persister or another one, is taken over and kept again")
    func again() async throws {
        try await withPersister { bench in
            bench.persister.start()
            bench.queue.acknowledgeFailures = 1
            bench.queue.waiting = Bench.records(1...2)
            try await eventually("all of it", on: bench.loop) { bench.queue.acknowledged == ["1", "2"] }
            #expect(bench.archive.kept.count == 4, "the archive sees to it that this changes nothing")
        }
    }

    @Test(
        "records of an erased account are acknowledged once what they name is erased from the queue's store, and no others"
    )
    func discarded() async throws {
        try await withPersister { bench in
            let account = AccountID(bits: UUIDBits(high: 0x7000, low: 7))
            let endUser = UserID(endUser: "ada", of: account)
            bench.archive.missing = [account]
            bench.erasure.failures = 1
            let mine = Bench.records(1...2, of: UserID(account)) + Bench.records(3...3, of: endUser)
            bench.queue.waiting = mine + Bench.records(4...4)
            // What is not acknowledged comes again.
            bench.queue.orphans = bench.queue.waiting
            bench.persister.start()
            try await eventually("all of it", on: bench.loop) { bench.queue.acknowledged.count >= 4 }
            let erased = Dictionary(grouping: bench.erasure.erased, by: \.user).mapValues { $0.flatMap(\.requests) }
            #expect(Set(erased.keys) == [UserID(account), endUser])
            #expect(Set(erased[UserID(account)] ?? []) == Set(mine.prefix(2).map(\.entry.request.correlationID)))
            #expect(erased[endUser] == [mine[2].entry.request.correlationID])
            #expect(bench.archive.kept.allSatisfy { $0 == Bench.records(4...4)[0].entry.request.correlationID })
        }
    }

    @Test("a drain ends when what is there is kept, and leaves the list")
    func drained() async throws {
        try await withPersister { bench in
            bench.queue.waiting = Bench.records(1...1200)
            bench.persister.start()
            try await eventually("a batch", on: bench.loop) { !bench.archive.batches.isEmpty }
            await bench.persister.drain(within: .seconds(30))
            #expect(bench.queue.hasLeft)
            #expect(bench.queue.acknowledged.count == 1200 && bench.queue.waiting.isEmpty)
        }
    }

    @Test("a drain does not wait for an archive that is away")
    func drainedAway() async throws {
        try await withPersister { bench in
            bench.archive.onKeep = { _ in .unavailable }
            bench.queue.waiting = Bench.records(1...1)
            bench.persister.start()
            try await eventually("a try", on: bench.loop) { !bench.archive.batches.isEmpty }
            await bench.persister.drain(within: .milliseconds(10))
            #expect(bench.queue.acknowledged.isEmpty && bench.queue.hasLeft)
        }
    }
}
