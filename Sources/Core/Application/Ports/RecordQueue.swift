/// What the archive is to be told, from where the end of a request left it.
///
/// Delivery: at least once, and to another consumer when the one that had it is gone. Order: that of the events per
/// partition, up to redelivery.
package protocol RecordQueue {
    /// Gives up to `count` records of what is there at once; where there are none, it waits for some a short time if it may.
    /// An empty answer is normal.
    func receive(upTo count: Int, waiting: Bool) async throws(QueueFailure) -> [QueuedRecord]
    /// Lets a `receive` that waits return at once; only for speed.
    func stopWaiting()
    /// Takes over up to `count` records whose consumer has been silent for long.
    func takeOver(upTo count: Int) async throws(QueueFailure) -> [QueuedRecord]
    /// Deletes what is kept by now. Idempotent.
    func acknowledge(_ records: [QueuedRecord]) async throws(QueueFailure)
    /// Puts a record that cannot be kept where an operator finds it.
    func setAside(_ record: QueuedRecord, detail: String) async throws(QueueFailure)
    /// What waits to be kept.
    func backlog() async throws(QueueFailure) -> RecordBacklog
}

/// A record and its place in the queue.
package struct QueuedRecord: Sendable {
    package let partition: Int
    /// The queue's own name for the entry.
    package let name: String
    package let entry: ArchiveEntry

    package init(partition: Int, name: String, entry: ArchiveEntry) {
        self.partition = partition
        self.name = name
        self.entry = entry
    }
}

/// How far the archive is behind.
package struct RecordBacklog: Sendable, Equatable {
    package var records: Int
    /// Of the oldest one, since it was written.
    package var age: Duration

    package init(records: Int, age: Duration) {
        self.records = records
        self.age = age
    }

    package static let none = RecordBacklog(records: 0, age: .zero)
}
