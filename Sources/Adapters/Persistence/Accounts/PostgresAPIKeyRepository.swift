package import Application
package import Domain
package import PostgresClient
package import Shared

/// API keys in PostgreSQL; each call is one batch and one transaction.
package struct PostgresAPIKeyRepository: APIKeyRepository {
    private let database: PostgresDatabase

    package init(_ database: PostgresDatabase) { self.database = database }

    package func add(_ key: APIKey, secret: Fingerprint) async throws(RepositoryFailure) {
        let call = Statements.add(
            .id(key.id),
            .id(key.owner),
            .digest(secret),
            .storable(key.name),
            .texts(key.scopes.sorted().map(\.rawValue)),
            .number(key.limits.requestsPerMinute),
            .number(key.limits.maxActive),
            .number(key.limits.tokensPerDay),
            .boolean(key.actsForEndUsers),
            .time(key.createdAt),
            .time(orNull: key.expiresAt),
        )
        _ = try await database.query([call])
    }

    package func list(of account: AccountID) async throws(RepositoryFailure) -> [APIKey] {
        let call = Statements.list(.id(account), .number(APIKeyRules.keysMax))
        return try await database.query([call])[0].map { Self.key($0) }.compactMap(\.self)
    }

    package func revoke(
        _ id: APIKeyID,
        of owner: AccountID?,
        at time: Timestamp
    ) async throws(RepositoryFailure) -> APIKey? {
        let call = Statements.revoke(.id(id), .uuid(owner.map { PostgresUUID($0) }), .time(time))
        // A repeated call would find the key revoked and return nil.
        return try await database.query([call], mayRepeat: false)[0].first.flatMap { Self.key($0) }
    }

    package func find(secret: Fingerprint) async throws(RepositoryFailure) -> OwnedKey? {
        let row = try await database.query([Statements.find(.digest(secret))])[0].first
        guard let row, let key = Self.key(row), let account = StoredAccount.read(row, at: Self.columnCount) else {
            return nil
        }
        return OwnedKey(key: key, account: account)
    }

    package func noteUse(_ times: [APIKeyID: Timestamp]) async throws(RepositoryFailure) {
        guard !times.isEmpty else { return }
        let call = Statements.noteUse(
            .uuids(times.keys.map { PostgresUUID($0) }),
            .timestamps(times.values.map { PostgresTimestamp($0) }),
        )
        _ = try await database.query([call])
    }

    private static let columnCount = 11

    private static func key(_ row: PostgresRow) -> APIKey? {
        guard let id: APIKeyID = row.id(0), let owner: AccountID = row.id(1), let createdAt = row.time(8) else {
            return nil
        }
        return APIKey(
            id: id,
            owner: owner,
            name: row.text(2) ?? "",
            scopes: row.words(3),
            limits: KeyLimits(
                requestsPerMinute: row.number(4),
                maxActive: row.number(5),
                tokensPerDay: row.number(6),
            ),
            actsForEndUsers: row.boolean(7) ?? false,
            createdAt: createdAt,
            expiresAt: row.time(9),
            lastUsedAt: row.time(10),
        )
    }

    enum Statements {
        /// In the order in which the columns are read.
        private static let columns = """
            k.id, k.account_id, k.name, array_to_string(k.scopes, ' '), k.requests_per_minute, k.max_active, \
            k.tokens_per_day, k.acts_for_end_users, k.created_at, k.expires_at, k.last_used_at
            """
        static let add = PostgresStatement(
            """
            INSERT INTO api_keys (id, account_id, secret_digest, name, scopes, requests_per_minute, max_active,
                tokens_per_day, acts_for_end_users, created_at, updated_at, expires_at)
            SELECT $1, u.id, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11
            FROM users AS u WHERE u.id = $2 AND u.erasure_began_at IS NULL
            ON CONFLICT (id) DO NOTHING
            """
        )
        static let list = PostgresStatement(
            composed: """
                SELECT \(columns) FROM api_keys AS k WHERE k.account_id = $1 AND k.revoked_at IS NULL
                ORDER BY k.id DESC LIMIT $2
                """
        )
        static let revoke = PostgresStatement(
            composed: """
                UPDATE api_keys AS k SET revoked_at = $3, access_changed_at = clock_timestamp(), updated_at = $3
                WHERE k.id = $1 AND ($2::uuid IS NULL OR k.account_id = $2) AND k.revoked_at IS NULL
                RETURNING \(columns)
                """
        )
        static let find = PostgresStatement(
            composed: """
                SELECT \(columns), \(StoredAccount.columns) FROM api_keys AS k JOIN users AS u ON u.id = k.account_id
                WHERE k.secret_digest = $1 AND k.revoked_at IS NULL AND u.erasure_began_at IS NULL
                """
        )
        /// Locks the rows in the order of their ids, so that two replicas cannot deadlock.
        static let noteUse = PostgresStatement(
            """
            UPDATE api_keys AS k SET last_used_at = used.at
            FROM (
                SELECT known.id, u.at FROM unnest($1::uuid[], $2::timestamptz[]) AS u (id, at)
                JOIN api_keys AS known ON known.id = u.id
                WHERE known.last_used_at IS NULL OR known.last_used_at < u.at
                ORDER BY known.id FOR NO KEY UPDATE OF known
            ) AS used
            WHERE k.id = used.id AND (k.last_used_at IS NULL OR k.last_used_at < used.at)
            """
        )
    }
}
