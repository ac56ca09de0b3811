package import Application
package import Domain
package import PostgresClient
package import Shared

/// Conversations in PostgreSQL; each call is one batch and one transaction.
package struct PostgresConversationRepository: ConversationRepository, Sendable {
    /// Two calls of one request stay within its limit of five seconds.
    static let limit = Duration.milliseconds(2400)

    private let database: PostgresDatabase

    package init(_ database: PostgresDatabase) { self.database = database }

    package func create(_ conversation: Conversation) async throws(RepositoryFailure) {
        let call = Statements.create(
            .id(conversation.id),
            .storable(conversation.userID.text),
            .storable(conversation.title),
            .time(conversation.createdAt),
            .time(conversation.updatedAt),
        )
        _ = try await database.query([call])
    }

    package func find(
        _ id: ConversationID,
        of user: UserID
    ) async throws(RepositoryFailure) -> Conversation? {
        try await database.query([Statements.find(.id(id), .storable(user.text))])[0].first.flatMap(Self.conversation)
    }

    package func list(
        of user: UserID,
        after place: ConversationPlace?,
        limit: Int
    ) async throws(RepositoryFailure) -> [Conversation] {
        let call = Statements.list(
            .storable(user.text),
            .time(place?.updatedAt ?? .distantFuture),
            .uuid(place.map { PostgresUUID($0.id) } ?? .last),
            .integer(Int64(limit)),
        )
        return try await database.query([call])[0].map(Self.conversation).compactMap(\.self)
    }

    package func rename(
        _ id: ConversationID,
        of user: UserID,
        to title: String,
        at time: Timestamp
    ) async throws(RepositoryFailure) -> Conversation? {
        let call = Statements.rename(.id(id), .storable(user.text), .storable(title), .time(time))
        return try await database.query([call])[0].first.flatMap(Self.conversation)
    }

    package func delete(
        _ id: ConversationID,
        of user: UserID,
        isExpected: Bool,
        at time: Timestamp
    ) async throws(RepositoryFailure) -> Bool {
        let conversation: [PostgresValue] = [.id(id), .storable(user.text), .time(time)]
        let calls = [
            PostgresCall(Statements.markDeleted, conversation),
            PostgresCall(Statements.insertDeleted, conversation + [.boolean(isExpected)]),
            Statements.deleteRequests(.id(id), .storable(user.text)),
        ]
        // A repeated call would find nothing to delete and return false.
        let rows = try await database.query(calls, mayRepeat: false)
        return rows[0].count + rows[1].count > 0
    }

    package func requests(
        in id: ConversationID,
        of user: UserID,
        from place: RequestPlace?,
        limit: Int
    ) async throws(RepositoryFailure) -> [ArchivedRequest]? {
        let page = Statements.requests(
            .id(id),
            .storable(user.text),
            .time(place?.createdAt ?? .distantFuture),
            .uuid(place.map { PostgresUUID($0.id) } ?? .last),
            .integer(Int64(limit)),
        )
        let rows = try await database.query([Statements.find(.id(id), .storable(user.text)), page])
        guard rows[0].count > 0 else { return nil }
        return rows[1].map(StoredRequest.read).compactMap(\.self)
    }

    private static func conversation(_ row: PostgresRow) -> Conversation? {
        guard let id: ConversationID = row.id(0), let user = row.text(1), let created = row.time(3),
            let updated = row.time(4)
        else { return nil }
        return Conversation(
            id: id,
            userID: UserID(user),
            title: row.text(2),
            createdAt: created,
            updatedAt: updated,
        )
    }

    enum Statements {
        static let create = PostgresStatement(
            """
            INSERT INTO conversations (id, user_id, title, created_at, updated_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (id) DO NOTHING
            """
        )
        static let find = PostgresStatement(
            """
            SELECT id, user_id, title, created_at, updated_at FROM conversations
            WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL
            """
        )
        static let list = PostgresStatement(
            """
            SELECT id, user_id, title, created_at, updated_at FROM conversations
            WHERE user_id = $1 AND deleted_at IS NULL AND (updated_at, id) < ($2, $3)
            ORDER BY updated_at DESC, id DESC LIMIT $4
            """
        )
        static let rename = PostgresStatement(
            """
            UPDATE conversations SET title = $3, updated_at = GREATEST(updated_at, $4)
            WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL
            RETURNING id, user_id, title, created_at, updated_at
            """
        )
        /// Runs first, because it locks the row: the statements after it see the records of concurrent batches.
        static let markDeleted = PostgresStatement(
            """
            UPDATE conversations SET deleted_at = $3, title = NULL
            WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL RETURNING id
            """
        )
        /// A concurrent batch may insert the conversation after the update: this insertion waits for it and marks its row.
        static let insertDeleted = PostgresStatement(
            """
            INSERT INTO conversations AS known (id, user_id, created_at, updated_at, deleted_at)
            SELECT $1, $2, $3, $3, $3 WHERE $4
            ON CONFLICT (id) DO UPDATE SET deleted_at = excluded.deleted_at, title = NULL
            WHERE known.user_id = excluded.user_id AND known.deleted_at IS NULL
            RETURNING id
            """
        )
        static let deleteRequests = PostgresStatement(
            """
            DELETE FROM math_requests WHERE conversation_id = $1
            AND EXISTS (SELECT FROM conversations WHERE id = $1 AND user_id = $2 AND deleted_at IS NOT NULL)
            """
        )
        static let requests = PostgresStatement(
            composed: """
                SELECT \(StoredRequest.columns) FROM ended_requests
                WHERE conversation_id = $1 AND user_id = $2 AND (created_at, id) <= ($3, $4)
                ORDER BY created_at DESC, id DESC LIMIT $5
                """
        )
    }
}

extension PostgresDatabase {
    /// Runs one batch within the limit of a client's request.
    func query(_ calls: [PostgresCall], mayRepeat: Bool = true) async throws(RepositoryFailure) -> [PostgresRows] {
        do {
            return try await run(calls, within: PostgresConversationRepository.limit, mayRepeat: mayRepeat)
        } catch {
            throw .unavailable
        }
    }
}

extension Timestamp {
    /// Later than any place in a list.
    static let distantFuture = Timestamp(milliseconds: 253_402_300_799_999)
}

extension PostgresUUID {
    /// The greatest one: the place before the first item of a list that goes down.
    static let last = PostgresUUID(high: .max, low: .max)
}
