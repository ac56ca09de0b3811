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

    package func redrive(_ record: DeadLetterName) async throws(RepositoryFailure) -> RedriveResult {
        guard record.partition < store.keys.partitions else { return .unknown }
        let keys = [store.keys.finished(record.partition), store.keys.finishedDead(record.partition)]
        do {
            switch try await store.call(.redriveRecord, keys: keys, [record.entry]).string {
            case "redriven": return .redriven
            case "unreadable": return .unreadable
            case _: return .unknown
            }
        } catch {
            throw .unavailable
        }
    }

    package func drop(_ record: DeadLetterName) async throws(RepositoryFailure) -> Bool {
        try await streams.drop(record)
    }
}
