/// The records of requests that are not in the archive yet.
///
/// Delivery: at least once; a silent consumer's records are delivered to another one. Order: that of the events per
/// partition, up to redelivery.
package protocol RecordQueue {
    /// Returns up to `count` records; without any it waits a short time if `waiting` is true. May return none.
    func receive(upTo count: Int, waiting: Bool) async throws(QueueFailure) -> [QueuedRecord]
    /// Ends a waiting `receive` at once; only for speed.
    func stopWaiting()
    /// Takes over up to `count` records whose consumer has been silent for long.
    func takeOver(upTo count: Int) async throws(QueueFailure) -> [QueuedRecord]
    /// Deletes records that are archived, and settles what was reserved for ended requests. Idempotent.
    func acknowledge(_ records: [QueuedRecord]) async throws(QueueFailure)
    /// Dead-letters a record that the archive rejects.
    func deadLetter(_ record: QueuedRecord, detail: String) async throws(QueueFailure)
    /// The records that wait, of all partitions.
    func backlog() async throws(QueueFailure) -> RecordBacklog
}

/// A record and its place in the queue.
package struct QueuedRecord: Sendable {
    package let partition: Int
    /// The queue's own id of the entry.
    package let name: String
    package let entry: ArchiveEntry

    package init(partition: Int, name: String, entry: ArchiveEntry) {
        self.partition = partition
        self.name = name
        self.entry = entry
    }
}

/// The lag of the archive.
package struct RecordBacklog: Sendable, Equatable {
    package var records: Int
    /// Age of the oldest record.
    package var age: Duration

    package init(records: Int, age: Duration) {
        self.records = records
        self.age = age
    }

    package static let none = RecordBacklog(records: 0, age: .zero)
}
