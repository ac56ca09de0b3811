package import Application
internal import Domain
internal import RedisClient
package import Shared

/// The dead-letter streams of all partitions.
package struct RedisDeadLetters: DeadLetterRepository {
    private let store: RedisStore

    package init(store: RedisStore) { self.store = store }

    private var streams: DeadLetterStreams {
        DeadLetterStreams(store: store) { [keys = store.keys] in keys.dead($0) }
    }

    package func list(upTo count: Int) async throws(RepositoryFailure) -> [DeadLetter] {
        try await streams.list(upTo: count).map { letter($0) }
    }

    package func request(of letter: DeadLetterName) async throws(RepositoryFailure) -> CorrelationID? {
        try await fields(of: letter)?.first { $0.name == "id" }.flatMap { CorrelationID($0.value) }
    }

    package func fields(of letter: DeadLetterName) async throws(RepositoryFailure) -> [DeadLetterField]? {
        try await streams.fields(of: letter)
    }

    package func redrive(
        _ letter: DeadLetterName,
        as id: CorrelationID
    ) async throws(RepositoryFailure) -> RedriveResult {
        let keys = store.keys
        guard let fields = try await fields(of: letter) else { return .unknown }
        let stored = fields.first { $0.name == "conversation" }?.value
        guard let conversation = stored.flatMap({ ConversationID($0) }),
            keys.partition(of: id) == letter.partition, keys.partition(of: conversation) == letter.partition
        else { return .unreadable }
        do {
            return try await store.call(RedriveCall(letter, as: id, in: conversation, keys, store.retention))
        } catch {
            throw .unavailable
        }
    }

    package func drop(_ letter: DeadLetterName) async throws(RepositoryFailure) -> Bool {
        try await streams.drop(letter)
    }

    private func letter(_ entry: DeadLetterStreams.Entry) -> DeadLetter {
        let fields = entry.fields
        let failure = fields["errorKind"].flatMap { ProblemKind(rawValue: $0) }.map {
            RequestFailure(kind: $0, detail: fields["errorDetail"] ?? "")
        }
        return DeadLetter(
            name: entry.name,
            deadLetteredAt: Timestamp(milliseconds: entry.milliseconds),
            reason: fields["reason"] ?? "unknown",
            correlationID: fields["id"].flatMap { CorrelationID($0) },
            attempts: fields["attempts"].flatMap { Int($0) } ?? 0,
            lastFailure: failure,
            origin: fields["entry"] ?? "",
            redriveOf: fields["redriveOf"].flatMap { CorrelationID($0) },
        )
    }
}
