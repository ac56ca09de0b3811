package import Application
internal import Domain
internal import EventLoop
package import RedisClient
internal import Shared

/// The `finished` streams of all partitions, as one consumer of their group.
package final class RedisRecordQueue: RecordQueue, QueueMembership {
    private static let waitLimit = Duration.seconds(2)
    /// Silence after which the records of another consumer are taken over.
    private static let silenceMax = Duration.seconds(15)
    /// Silence after which a consumer that owns nothing is removed.
    private static let consumerIdle = Duration.seconds(300)
    /// Records acknowledged in one call; a call of this size keeps Redis busy for half a millisecond.
    private static let acknowledgedAtOnce = 100

    private let store: RedisStore
    private let group: ConsumerGroup
    private let readers: [GroupReader]
    private let consumer: String
    private let observer: (any StreamEntryObserver)?
    private let reservations: Reservations

    /// `consumer` is a name that no other consumer of the group has.
    package init(
        store: RedisStore,
        consumer: String,
        observer: (any StreamEntryObserver)? = nil,
        connection: (any RedisObserver)? = nil
    ) {
        self.store = store
        self.consumer = consumer
        self.observer = observer
        reservations = Reservations(store: store)
        let group = ConsumerGroup.persisters(store.keys)
        self.group = group
        readers = store.servers.map {
            GroupReader(store: store, server: $0, group: group, consumer: consumer, observer: connection)
        }
    }

    package func close() {
        for reader in readers { reader.close() }
    }

    // MARK: Receiving

    package func receive(upTo count: Int, waiting: Bool) async throws(QueueFailure) -> [QueuedRecord] {
        var records: [QueuedRecord] = []
        for (partition, entries) in try await readers.read(upTo: count, within: waiting ? Self.waitLimit : .zero) {
            records += try await readable(entries, in: partition)
        }
        return records
    }

    package func stopWaiting() {
        for reader in readers { reader.stopWaiting() }
    }

    package func takeOver(upTo count: Int) async throws(QueueFailure) -> [QueuedRecord] {
        try await store.takeOver(upTo: count, in: group, to: consumer, after: Self.silenceMax, reading: readable)
    }

    /// Dead-letters the entries that no release can read, so that they are not redelivered without end.
    private func readable(_ entries: [RedisValue], in partition: Int) async throws(QueueFailure) -> [QueuedRecord] {
        var records: [QueuedRecord] = []
        for entry in entries {
            switch RecordEntry(entry) {
            case .record(let name, let entry):
                records.append(QueuedRecord(partition: partition, name: name, entry: entry))
            // Stays pending until a persister of that release takes it over.
            case .laterVersion: observer?.foundLaterVersion()
            case .malformed(let name):
                observer?.foundMalformed(entry: name)
                try await deadLetter(name, in: partition, .malformed, detail: "")
            }
        }
        return records
    }

    // MARK: Ending

    /// Settles the reservations of the ended requests first: a failure in between repeats both.
    package func acknowledge(_ records: [QueuedRecord]) async throws(QueueFailure) {
        try await reservations.settle(records)
        for (partition, records) in Dictionary(grouping: records, by: \.partition) {
            for start in stride(from: 0, to: records.count, by: Self.acknowledgedAtOnce) {
                let page = records[start..<min(start + Self.acknowledgedAtOnce, records.count)]
                _ = try await store.queueCall(AcknowledgeRecordsCall(page, in: partition, store.keys, store.retention))
            }
        }
    }

    package func deadLetter(_ record: QueuedRecord, detail: String) async throws(QueueFailure) {
        try await reservations.settle([record])
        try await deadLetter(record.name, in: record.partition, .refused, detail: detail)
    }

    private func deadLetter(
        _ entry: String,
        in partition: Int,
        _ reason: DeadLetterRecordCall.Reason,
        detail: String
    ) async throws(QueueFailure) {
        let dropped = try await store.queueCall(
            DeadLetterRecordCall(entry, in: partition, reason, detail: detail, store.keys, store.retention),
        )
        store.report(droppedDeadLetters: dropped)
    }

    package func backlog() async throws(QueueFailure) -> RecordBacklog {
        var sum = RecordBacklog.none
        for partition in 0..<store.keys.partitions {
            let backlog = try await store.queueCall(RecordBacklogCall(in: partition, store.keys))
            sum.records += backlog.records
            sum.age = max(sum.age, backlog.age)
        }
        return sum
    }

    // MARK: Membership

    package func leave() async { _ = try? await removeConsumers(idleFor: .zero, named: consumer) }

    package func removeIdleConsumers() async throws(QueueFailure) -> Int {
        try await removeConsumers(idleFor: Self.consumerIdle)
    }

    private func removeConsumers(
        idleFor idle: Duration,
        named consumer: String? = nil
    ) async throws(QueueFailure) -> Int {
        var count = 0
        for partition in 0..<store.keys.partitions {
            count += try await store.queueCall(
                RemoveIdleConsumersCall(of: group, in: partition, idleFor: idle, named: consumer)
            )
        }
        return count
    }
}
