package import Application
internal import Domain
internal import EventLoop
package import RedisClient
internal import Shared
internal import Time

/// The `finished` streams of all partitions, as one consumer of their group.
package final class RedisRecordQueue: RecordQueue, QueueMembership {
    private static let waitLimit = Duration.seconds(2)
    /// Silence after which another consumer's records are taken over.
    private static let silenceMax = Duration.seconds(15)
    /// Silence after which a consumer that owns nothing is forgotten.
    private static let consumerIdle = Duration.seconds(300)
    /// Records acknowledged in one call; a call of this size keeps Redis busy for half a millisecond.
    private static let acknowledgedAtOnce = 100

    private let store: RedisStore
    private let reader: GroupReader
    private let consumer: String
    private let observer: (any StreamEntryObserver)?

    /// `consumer` is a name that no other consumer of the group has.
    package init(
        store: RedisStore,
        waiting configuration: RedisConfiguration,
        consumer: String,
        observer: (any StreamEntryObserver)? = nil,
        connection: (any RedisObserver)? = nil
    ) {
        self.store = store
        self.consumer = consumer
        self.observer = observer
        reader = GroupReader(
            store: store,
            connecting: configuration,
            group: Keyspace.persisters,
            consumer: consumer,
            streams: (0..<store.keys.partitions).map { store.keys.finished($0) },
            observer: connection,
        )
    }

    package func close() { reader.close() }

    // MARK: Taking

    package func receive(upTo count: Int, waiting: Bool) async throws(QueueFailure) -> [QueuedRecord] {
        var records: [QueuedRecord] = []
        for (partition, entries) in try await reader.read(upTo: count, within: waiting ? Self.waitLimit : .zero) {
            records += try await readable(entries, in: partition)
        }
        return records
    }

    package func stopWaiting() { reader.stopWaiting() }

    package func takeOver(upTo count: Int) async throws(QueueFailure) -> [QueuedRecord] {
        var records: [QueuedRecord] = []
        for partition in 0..<store.keys.partitions where records.count < count {
            let terms = [String(Self.silenceMax.wholeMilliseconds), String(count - records.count)]
            let arguments = [Keyspace.persisters, consumer] + terms
            let reply = try await call(.takeOver, keys: [store.keys.finished(partition)], arguments)
            records += try await readable(reply.array ?? [], in: partition)
        }
        return records
    }

    /// Puts aside what nobody can read, so that it does not come back for ever.
    private func readable(_ entries: [RedisValue], in partition: Int) async throws(QueueFailure) -> [QueuedRecord] {
        var records: [QueuedRecord] = []
        for entry in entries {
            switch RecordEntry(entry) {
            case .record(let name, let entry):
                records.append(QueuedRecord(partition: partition, name: name, entry: entry))
            case .laterVersion: observer?.foundLaterVersion()  // Stays pending until a persister of that release takes it over.
            case .malformed(let name):
                observer?.foundMalformed(entry: name)
                try await deadLetter(name, in: partition, reason: "malformed", detail: "")
            }
        }
        return records
    }

    // MARK: Ending

    package func acknowledge(_ records: [QueuedRecord]) async throws(QueueFailure) {
        for (partition, records) in Dictionary(grouping: records, by: \.partition) {
            for start in stride(from: 0, to: records.count, by: Self.acknowledgedAtOnce) {
                try await acknowledge(
                    records[start..<min(start + Self.acknowledgedAtOnce, records.count)],
                    in: partition
                )
            }
        }
    }

    private func acknowledge(_ records: ArraySlice<QueuedRecord>, in partition: Int) async throws(QueueFailure) {
        var keys = [store.keys.finished(partition)]
        var arguments = [Keyspace.persisters, String(store.retention.afterEnd.wholeMilliseconds)]
        for record in records {
            let conversation = record.entry.request.conversationID
            keys += [store.keys.conversation(conversation), store.keys.turns(conversation)]
            arguments += [record.name, record.entry.isEnd ? "1" : "0"]
        }
        _ = try await call(.acknowledgeRecords, keys: keys, arguments)
    }

    package func deadLetter(_ record: QueuedRecord, detail: String) async throws(QueueFailure) {
        try await deadLetter(record.name, in: record.partition, reason: "refused", detail: detail)
    }

    private func deadLetter(
        _ name: String,
        in partition: Int,
        reason: String,
        detail: String
    ) async throws(QueueFailure) {
        let keys = [store.keys.finished(partition), store.keys.finishedDead(partition)]
        let limit = String(store.retention.deadLetters)
        store.reportDropped(
            try await call(.deadLetterRecord, keys: keys, [Keyspace.persisters, name, reason, detail, limit])
        )
    }

    package func backlog() async throws(QueueFailure) -> RecordBacklog {
        var backlog = RecordBacklog.none
        for partition in 0..<store.keys.partitions {
            let reply = try await call(.recordBacklog, keys: [store.keys.finished(partition)], []).array ?? []
            guard reply.count == 2, let records = reply[0].integer, let age = reply[1].integer else { continue }
            backlog.records += records
            backlog.age = max(backlog.age, .milliseconds(age))
        }
        return backlog
    }

    // MARK: Membership

    package func leave() async { _ = try? await retire(idle: .zero, consumer) }

    package func removeIdleConsumers() async throws(QueueFailure) -> Int {
        try await retire(idle: Self.consumerIdle, "")
    }

    private func retire(idle: Duration, _ consumer: String) async throws(QueueFailure) -> Int {
        var count = 0
        for partition in 0..<store.keys.partitions {
            let arguments = [Keyspace.persisters, String(idle.wholeMilliseconds), consumer]
            count +=
                try await call(.removeIdleConsumers, keys: [store.keys.finished(partition)], arguments).integer ?? 0
        }
        return count
    }

    private func call(
        _ function: FunctionLibrary.Function,
        keys: [String],
        _ arguments: [String]
    ) async throws(QueueFailure) -> RedisValue {
        do {
            return try await store.call(function, keys: keys, arguments)
        } catch {
            throw QueueFailure(error)
        }
    }
}

extension ArchiveEntry {
    fileprivate var isEnd: Bool {
        switch self {
        case .submitted: false
        case .finished: true
        }
    }
}
