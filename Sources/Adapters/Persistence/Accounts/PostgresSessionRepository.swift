package import Application
internal import Domain
package import PostgresClient
package import Shared

/// Sessions in PostgreSQL; each call is one batch and one transaction.
package struct PostgresSessionRepository: SessionRepository {
    private let database: PostgresDatabase

    package init(_ database: PostgresDatabase) { self.database = database }

    package func begin(
        _ id: SessionID,
        of account: AccountID,
        token: Fingerprint,
        at time: Timestamp,
        expiresAt: Timestamp
    ) async throws(RepositoryFailure) {
        let call = Statements.begin(.id(id), .id(account), .digest(token), .time(time), .time(expiresAt))
        _ = try await database.query([call])
    }

    package func rotate(
        _ id: SessionID,
        presented: Fingerprint,
        next: Fingerprint,
        at time: Timestamp,
        repeatTime: Duration
    ) async throws(RepositoryFailure) -> RotationResult {
        let call = Statements.rotate(
            .id(id),
            .digest(presented),
            .digest(next),
            .time(time),
            .milliseconds(repeatTime),
        )
        let row = try await database.query([call], mayRepeat: false)[0].first
        guard let row, let isRevoked = row.boolean(0), let expiresAt = row.time(1),
            let account = StoredAccount.read(row, at: 2)
        else { return .invalid }
        return isRevoked ? .reused(account.id) : .rotated(account, expiresAt: expiresAt)
    }

    package func revoke(
        _ id: SessionID,
        presented: Fingerprint
    ) async throws(RepositoryFailure) -> AccountID? {
        try await database.query([Statements.revoke(.id(id), .digest(presented))])[0].first?.id(0)
    }

    package func revokeAll(of account: AccountID, but exception: SessionID?) async throws(RepositoryFailure) {
        let call = Statements.revokeAll(.id(account), .uuid(exception.map { PostgresUUID($0) }))
        _ = try await database.query([call])
    }

    package func deleteEnded(before time: Timestamp, limit: Int) async throws(RepositoryFailure) {
        _ = try await database.query([Statements.deleteEnded(.time(time), .number(limit))])
    }

    enum Statements {
        static let begin = PostgresStatement(
            """
            INSERT INTO sessions (id, account_id, current_token, created_at, updated_at, expires_at)
            SELECT $1, u.id, $3, $4, $4, $5 FROM users AS u WHERE u.id = $2 AND u.erasure_began_at IS NULL
            ON CONFLICT (id) DO NOTHING
            """
        )
        private static let isFirst = "s.current_token = $2"
        private static let isRepeat =
            "s.spent_token = $2 AND NOT s.is_repeated AND $4 - s.spent_at <= $5 * interval '1 millisecond'"
        /// Void tokens that a session remembers; an older one counts as one from before.
        private static let voidTokensMax = 32
        /// A concurrent call for the same session waits here for the row, and then sees what the first has written.
        static let rotate = PostgresStatement(
            composed: """
                UPDATE sessions AS s SET
                    current_token = CASE WHEN \(isFirst) OR \(isRepeat) THEN $3 ELSE s.current_token END,
                    spent_token = CASE WHEN \(isFirst) THEN $2 ELSE s.spent_token END,
                    spent_at = CASE WHEN \(isFirst) THEN $4 ELSE s.spent_at END,
                    is_repeated = NOT (\(isFirst)),
                    void_tokens = CASE WHEN \(isFirst) OR NOT (\(isRepeat)) THEN s.void_tokens
                        ELSE (s.void_tokens || s.current_token)
                            [greatest(1, cardinality(s.void_tokens) + 2 - \(voidTokensMax)):] END,
                    revoked_at = CASE WHEN \(isFirst) OR \(isRepeat) THEN NULL ELSE $4 END,
                    updated_at = $4
                FROM users AS u
                WHERE s.id = $1 AND u.id = s.account_id AND u.disabled_at IS NULL AND u.erasure_began_at IS NULL
                    AND s.revoked_at IS NULL AND s.expires_at > $4 AND $2 <> ALL (s.void_tokens)
                RETURNING s.revoked_at IS NOT NULL, s.expires_at, \(StoredAccount.columns)
                """
        )
        static let revoke = PostgresStatement(
            """
            UPDATE sessions SET revoked_at = clock_timestamp(), updated_at = clock_timestamp()
            WHERE id = $1 AND (current_token = $2 OR spent_token = $2) AND revoked_at IS NULL
            RETURNING account_id
            """
        )
        static let revokeAll = PostgresStatement(
            """
            UPDATE sessions SET revoked_at = clock_timestamp(), updated_at = clock_timestamp()
            WHERE account_id = $1 AND revoked_at IS NULL AND ($2::uuid IS NULL OR id <> $2)
            """
        )
        static let deleteEnded = PostgresStatement(
            """
            DELETE FROM sessions WHERE id = ANY (ARRAY(
                (SELECT id FROM sessions WHERE expires_at < $1 LIMIT $2)
                UNION ALL (SELECT id FROM sessions WHERE revoked_at < $1 LIMIT $2)
                LIMIT $2
            ))
            """
        )
    }
}
