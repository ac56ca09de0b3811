package import Application
package import Domain
package import PostgresClient
package import Shared

/// Requests and their answers in PostgreSQL; a batch is a few statements with array parameters, in one round trip.
package struct PostgresRequestArchive: RequestArchive, Sendable {
    /// Limit of a batch, for which no client waits.
    private static let batchLimit = Duration.seconds(20)
    /// By how much the clocks of the replicas that made an id and deleted a conversation may differ.
    private static let clockSkewMilliseconds: Int64 = 60_000

    private let database: PostgresDatabase
    private let identifiers: IdentifierFactory

    package init(_ database: PostgresDatabase, identifiers: IdentifierFactory) {
        self.database = database
        self.identifiers = identifiers
    }

    @discardableResult
    package func add(_ entries: [ArchiveEntry]) async throws(ArchiveFailure) -> Set<AccountID> {
        guard !entries.isEmpty else { return [] }
        let (calls, discardedAt) = ArchiveBatch(entries, identifiers: identifiers).calls
        do {
            let rows = try await database.run(calls, within: Self.batchLimit, mayRepeat: true)
            return Set(discardedAt.map { rows[$0].map { $0.id(0) }.compactMap(\.self) } ?? [])
        } catch {
            if case .server(let refusal) = error, refusal.kind == .refused { throw .refused(detail: "\(refusal)") }
            throw .unavailable
        }
    }

    package func find(
        _ id: CorrelationID,
        of user: UserID
    ) async throws(RepositoryFailure) -> ArchivedRequest? {
        try await database.query([Statements.find(.id(id), .storable(user.text))])[0].first.flatMap(StoredRequest.read)
    }

    package func isDeleted(_ id: CorrelationID, of user: UserID) async throws(RepositoryFailure) -> Bool {
        let submitted = Timestamp(milliseconds: id.bits.version7Time.milliseconds - Self.clockSkewMilliseconds)
        let lane = String(id.description.suffix(4))
        let call = Statements.deleted(.storable(user.text), .time(submitted), .text(lane))
        return try await database.query([call])[0].count > 0
    }

    package func recentTurns(
        of conversation: ConversationID,
        limit: Int,
        textMax: Int
    ) async throws(RepositoryFailure) -> [ConversationTurn] {
        let rows = try await database.query([
            Statements.turns(.id(conversation), .integer(Int64(limit)), .integer(Int64(textMax)))
        ])[0]
        let turns = rows.map { row in
            row.id(0).map {
                ConversationTurn(
                    correlationID: $0,
                    problem: row.text(1) ?? "",
                    answer: row.text(2) ?? "",
                    isPartial: row.text(3) != RequestStatus.completed.rawValue,
                )
            }
        }
        return turns.compactMap(\.self).reversed()
    }

    enum Statements {
        static let find = PostgresStatement(
            composed: "SELECT \(StoredRequest.columns) FROM ended_requests WHERE id = $1 AND user_id = $2"
        )
        /// The last four hexadecimal digits of an id are its lane.
        static let deleted = PostgresStatement(
            """
            SELECT id FROM conversations WHERE user_id = $1 AND deleted_at >= $2 AND right(id::text, 4) = $3 LIMIT 1
            """
        )
        static let turns = PostgresStatement(
            """
            SELECT id, problem, left(content, $3::integer), status FROM ended_requests
            WHERE conversation_id = $1 AND content <> ''
            ORDER BY created_at DESC, id DESC LIMIT $2
            """
        )
    }
}
