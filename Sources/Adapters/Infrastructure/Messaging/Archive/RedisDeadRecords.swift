package import Application
internal import RedisClient
internal import Shared

/// The `finished-dead` streams of all partitions.
package struct RedisDeadRecords: DeadRecordRepository {
    private let store: RedisStore
    private var streams: DeadLetterStreams {
        DeadLetterStreams(store: store) { [keys = store.keys] in keys.finishedDead($0) }
    }

    package init(store: RedisStore) { self.store = store }

    package func list(upTo count: Int) async throws(RepositoryFailure) -> [DeadRecord] {
        try await streams.list(upTo: count).map { entry in
            DeadRecord(
                name: entry.name,
                deadLetteredAt: Timestamp(milliseconds: entry.milliseconds),
                reason: entry.fields["reason"] ?? "unknown",
                detail: entry.fields["detail"] ?? "",
                kind: entry.fields["kind"],
                correlationID: entry.fields["id"].flatMap { CorrelationID($0) },
            )
        }
    }

    package func fields(of record: DeadLetterName) async throws(RepositoryFailure) -> [DeadLetterField]? {
        try await streams.fields(of: record)
    }

    /// A record that this program cannot read would be dead-lettered again at once, so it is left where it is.
    package func redrive(_ record: DeadLetterName) async throws(RepositoryFailure) -> RedriveResult {
        guard let fields = try await streams.fields(of: record) else { return .unknown }
        let values = Dictionary(fields.map { ($0.name, $0.value) }) { $1 }
        if case .malformed = RecordEntry(record.entry, values) { return .unreadable }
        do {
            return try await store.call(RedriveRecordCall(record, store.keys))
        } catch {
            throw .unavailable
        }
    }

    package func drop(_ record: DeadLetterName) async throws(RepositoryFailure) -> Bool {
        try await streams.drop(record)
    }
}
