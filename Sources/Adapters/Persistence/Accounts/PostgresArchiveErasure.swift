package import Application
internal import Cryptography
package import PostgresClient
package import Shared

/// Erases accounts from PostgreSQL.
package struct PostgresArchiveErasure: ArchiveErasure, Sendable {
    /// Limit of a call for which no client waits.
    private static let limit = Duration.seconds(20)
    private static let claimedAtOnce = 10

    private let database: PostgresDatabase

    package init(_ database: PostgresDatabase) { self.database = database }

    package func begin(_ account: AccountID, at time: Timestamp) async throws(RepositoryFailure) -> Bool {
        let calls = [
            // Waits for the batches of records that do not see the mark yet.
            ErasureLock.exclusive(), Statements.mark(.id(account), .time(time)),
            Statements.deleteSessions(.id(account)), Statements.deleteKeys(.id(account)),
        ]
        return try await database.query(calls)[1].count > 0
    }

    package func claimPending(idleFor idle: Duration) async throws(RepositoryFailure) -> [AccountID] {
        let call = Statements.claim(.milliseconds(idle), .number(Self.claimedAtOnce))
        return try await database.query([call])[0].map { $0.id(0) }.compactMap(\.self)
    }

    package func isPending(_ account: AccountID) async throws(RepositoryFailure) -> Bool {
        try await database.query([Statements.isLeft(.id(account))])[0].count > 0
    }

    package func renew(_ account: AccountID) async throws(RepositoryFailure) -> Bool {
        try await database.query([Statements.renew(.id(account))])[0].count > 0
    }

    package func conversations(
        of account: AccountID,
        after place: ConversationID?,
        limit: Int
    ) async throws(RepositoryFailure) -> [ErasedConversation] {
        let call = Statements.conversations(
            .text(account.description),
            .uuid(place.map { PostgresUUID($0) } ?? PostgresUUID(high: 0, low: 0)),
            .number(limit),
        )
        // A row for each request; those of a conversation follow each other.
        var conversations: [ErasedConversation] = []
        for line in try await run([call])[0].map(Self.conversation).compactMap(\.self) {
            guard let last = conversations.last, last.id == line.id else {
                conversations.append(line)
                continue
            }
            conversations[conversations.count - 1] = ErasedConversation(
                id: last.id,
                user: last.user,
                requests: last.requests + line.requests,
                deletedAt: last.deletedAt,
            )
        }
        return conversations
    }

    package func delete(
        _ conversations: [ConversationID],
        of account: AccountID
    ) async throws(RepositoryFailure) {
        let ids = conversations.map { PostgresUUID($0) }
        _ = try await run([Statements.delete(.uuids(ids), .text(account.description))])
    }

    package func complete(_ account: AccountID) async throws(RepositoryFailure) -> Bool {
        let (id, text) = (PostgresValue.id(account), PostgresValue.text(account.description))
        let digest = PostgresValue.digest(Fingerprint(Array(SHA256.digest(account.description.utf8))))
        let calls = [
            Statements.deleteUsage(text, id), Statements.deleteAccount(id, text, digest), Statements.isLeft(id),
        ]
        return try await run(calls)[2].count == 0
    }

    private func run(_ calls: [PostgresCall]) async throws(RepositoryFailure) -> [PostgresRows] {
        do {
            return try await database.run(calls, within: Self.limit, mayRepeat: true)
        } catch {
            throw .unavailable
        }
    }

    /// A conversation with one of its requests, or with none.
    private static func conversation(_ row: PostgresRow) -> ErasedConversation? {
        guard let id: ConversationID = row.id(0), let user = row.text(1) else { return nil }
        let request: CorrelationID? = row.id(2)
        return ErasedConversation(
            id: id,
            user: UserID(user),
            requests: request.map { [$0] } ?? [],
            deletedAt: row.time(3),
        )
    }

    enum Statements {
        static let mark = PostgresStatement(
            """
            UPDATE users SET erasure_began_at = COALESCE(erasure_began_at, $2), access_changed_at = clock_timestamp(),
                email = NULL, canonical_email = NULL, password_hash = NULL, issuer = NULL, subject = NULL,
                display_name = NULL, updated_at = $2
            WHERE id = $1 RETURNING id
            """
        )
        static let deleteSessions = PostgresStatement("DELETE FROM sessions WHERE account_id = $1")
        static let deleteKeys = PostgresStatement("DELETE FROM api_keys WHERE account_id = $1")
        static let claim = PostgresStatement(
            """
            UPDATE users SET erasure_tried_at = clock_timestamp() WHERE id IN (
                SELECT id FROM users WHERE erasure_began_at IS NOT NULL AND (erasure_tried_at IS NULL
                    OR erasure_tried_at < clock_timestamp() - $1 * interval '1 millisecond')
                ORDER BY erasure_began_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
            ) RETURNING id
            """
        )
        static let renew = PostgresStatement(
            """
            UPDATE users SET erasure_tried_at = clock_timestamp() WHERE id = $1 AND erasure_began_at IS NOT NULL
            RETURNING id
            """
        )
        /// Finds what has an account or an end user of it as owner, by an index that has no other rows.
        private static func belongs(to account: String) -> String {
            """
            length(user_id) >= 36 AND left(user_id, 36) = \(account)
            AND (user_id = \(account) OR left(user_id, 37) = \(account) || '/')
            """
        }
        static let conversations = PostgresStatement(
            composed: """
                SELECT c.id, c.user_id, r.id, c.deleted_at FROM (
                    SELECT id, user_id, deleted_at FROM conversations
                    WHERE \(belongs(to: "$1")) AND id > $2 ORDER BY id LIMIT $3
                ) AS c LEFT JOIN math_requests AS r ON r.conversation_id = c.id
                ORDER BY c.id
                """
        )
        static let delete = PostgresStatement(
            composed: "DELETE FROM conversations WHERE id = ANY ($1::uuid[]) AND \(belongs(to: "$2"))"
        )
        private static let hasConversations =
            "EXISTS (SELECT FROM conversations WHERE \(belongs(to: "$1")))"
        static let deleteUsage = PostgresStatement(
            composed: """
                DELETE FROM usage_days WHERE \(belongs(to: "$1")) AND NOT \(hasConversations)
                AND EXISTS (SELECT FROM users WHERE id = $2 AND erasure_began_at IS NOT NULL)
                """
        )
        static let deleteAccount = PostgresStatement(
            composed: """
                WITH gone AS (
                    DELETE FROM users WHERE id = $1 AND erasure_began_at IS NOT NULL
                    AND NOT EXISTS (SELECT FROM conversations WHERE \(belongs(to: "$2"))) RETURNING id
                )
                INSERT INTO erased_accounts (digest, erased_at) SELECT $3, clock_timestamp() FROM gone
                ON CONFLICT (digest) DO NOTHING
                """
        )
        static let isLeft = PostgresStatement("SELECT id FROM users WHERE id = $1")
    }
}

/// The lock between batches of records and the beginning of erasures: a batch either is complete before, or sees the mark.
///
/// It belongs to the transaction, because a pooler may share the session between transactions.
enum ErasureLock {
    /// An arbitrary number that never changes, beside that of ``Migrator``: "erase" in ASCII.
    static let shared = PostgresStatement("SELECT pg_advisory_xact_lock_shared(435710686053)")
    static let exclusive = PostgresStatement("SELECT pg_advisory_xact_lock(435710686053)")
}
