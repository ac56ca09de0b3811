package import Application
package import Domain
package import PostgresClient
package import Shared

/// Accounts in PostgreSQL; each call is one batch and one transaction.
package struct PostgresAccountRepository: AccountRepository {
    private let database: PostgresDatabase

    package init(_ database: PostgresDatabase) { self.database = database }

    package func add(_ account: Account, _ hash: PasswordHash) async throws(AccountAdditionFailure) {
        let email = account.email?.canonical
        let calls = [Statements.add(account, password: hash.text), Statements.holder(.storable(email))]
        let holder: AccountID?
        do {
            holder = try await database.query(calls)[1].first?.id(0)
        } catch {
            throw .unavailable
        }
        // Also its own, where a batch is repeated whose answer was lost.
        guard holder == account.id else { throw .emailTaken }
    }

    package func find(_ id: AccountID) async throws(RepositoryFailure) -> Account? {
        try await account(Statements.find(.id(id)))
    }

    package func passwordAccount(_ email: EmailAddress) async throws(RepositoryFailure) -> PasswordAccount? {
        let rows = try await database.query([Statements.findPasswordByEmail(.storable(email.canonical))])[0]
        return rows.first.flatMap { StoredAccount.readWithPassword($0) }
    }

    package func passwordAccount(_ id: AccountID) async throws(RepositoryFailure) -> PasswordAccount? {
        let rows = try await database.query([Statements.findPassword(.id(id))])[0]
        return rows.first.flatMap { StoredAccount.readWithPassword($0) }
    }

    package func issuerAccount(orAdd fresh: Account) async throws(RepositoryFailure) -> Account {
        guard case .issuer(let issuer, let subject) = fresh.origin else {
            preconditionFailure("an account without an issuer is not a user of one")
        }
        // The second statement sees what a concurrent transaction has added, for which the first one waits.
        let calls = [
            Statements.add(fresh, password: nil), Statements.findIssuer(.storable(issuer), .storable(subject)),
        ]
        let rows = try await database.query(calls)[1]
        guard let account = rows.first.flatMap({ StoredAccount.read($0) }) else { throw .unavailable }
        return account
    }

    package func list(
        email: String?,
        after place: AccountID?,
        limit: Int
    ) async throws(RepositoryFailure) -> [Account] {
        let call = Statements.list(
            .uuid(place.map { PostgresUUID($0) } ?? .last),
            .storable(email?.lowercased()),
            .number(limit),
        )
        return try await database.query([call])[0].map { StoredAccount.read($0) }.compactMap(\.self)
    }

    package func change(_ id: AccountID, _ change: AccountChange) async throws(RepositoryFailure) -> Account? {
        try await account(
            Statements.change(
                .id(id),
                .storable(change.displayName?.text),
                .boolean(change.roles != nil),
                StoredAccount.roles(change.roles ?? []),
                .boolean(change.isDisabled),
            )
        )
    }

    package func replacePasswordHash(
        of id: AccountID,
        _ former: PasswordHash?,
        by hash: PasswordHash
    ) async throws(RepositoryFailure) -> Bool {
        let call = Statements.replacePassword(.id(id), .text(former?.text), .text(hash.text))
        return try await database.query([call])[0].count > 0
    }

    private func account(_ call: PostgresCall) async throws(RepositoryFailure) -> Account? {
        try await database.query([call])[0].first.flatMap { StoredAccount.read($0) }
    }

    enum Statements {
        static let addRow = PostgresStatement(
            """
            INSERT INTO users (id, email, canonical_email, password_hash, issuer, subject, display_name, roles,
                disabled_at, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $9 THEN $10 END, $10, $10)
            ON CONFLICT DO NOTHING
            """
        )
        static let holder = PostgresStatement("SELECT id FROM users WHERE canonical_email = $1")
        static let find = PostgresStatement(
            composed: "SELECT \(StoredAccount.columns) FROM users AS u WHERE u.id = $1 AND u.erasure_began_at IS NULL"
        )
        static let findPasswordByEmail = PostgresStatement(
            composed: """
                SELECT \(StoredAccount.columns), u.password_hash FROM users AS u
                WHERE u.canonical_email = $1 AND u.password_hash IS NOT NULL AND u.erasure_began_at IS NULL
                """
        )
        static let findPassword = PostgresStatement(
            composed: """
                SELECT \(StoredAccount.columns), u.password_hash FROM users AS u
                WHERE u.id = $1 AND u.password_hash IS NOT NULL AND u.erasure_began_at IS NULL
                """
        )
        static let findIssuer = PostgresStatement(
            composed: """
                SELECT \(StoredAccount.columns) FROM users AS u
                WHERE u.issuer = $1 AND u.subject = $2 AND u.erasure_began_at IS NULL
                """
        )
        /// Reads the accounts one after the other where few have such an address: for administrators.
        static let list = PostgresStatement(
            composed: """
                SELECT \(StoredAccount.columns) FROM users AS u
                WHERE u.id < $1 AND u.erasure_began_at IS NULL AND ($2::text IS NULL OR strpos(u.canonical_email, $2) > 0)
                ORDER BY u.id DESC LIMIT $3
                """
        )
        static let change = PostgresStatement(
            composed: """
                UPDATE users AS u SET display_name = COALESCE($2, u.display_name),
                    roles = CASE WHEN $3 THEN $4 ELSE u.roles END,
                    disabled_at = CASE WHEN $5 THEN COALESCE(u.disabled_at, clock_timestamp())
                        WHEN NOT $5 THEN NULL ELSE u.disabled_at END,
                    access_changed_at = CASE WHEN $5 IS NULL OR $5 = (u.disabled_at IS NOT NULL)
                        THEN u.access_changed_at ELSE clock_timestamp() END,
                    updated_at = now()
                WHERE u.id = $1 AND u.erasure_began_at IS NULL
                RETURNING \(StoredAccount.columns)
                """
        )
        /// Where a batch is repeated whose answer was lost, the digest is the new one already.
        static let replacePassword = PostgresStatement(
            """
            UPDATE users SET password_hash = $3, updated_at = now()
            WHERE id = $1 AND erasure_began_at IS NULL AND password_hash IS NOT NULL
                AND ($2::text IS NULL OR password_hash = $2 OR password_hash = $3)
            RETURNING id
            """
        )

        /// Adds an account unless its address, or its user of an issuer, has one.
        static func add(_ account: Account, password: String?) -> PostgresCall {
            var identity: (issuer: String?, subject: String?)
            switch account.origin {
            case .password: identity = (nil, nil)
            case .issuer(let issuer, let subject): identity = (issuer, subject)
            }
            return addRow(
                .id(account.id),
                .storable(account.email?.text),
                .storable(account.email?.canonical),
                .text(password),
                .storable(identity.issuer),
                .storable(identity.subject),
                .storable(account.displayName),
                StoredAccount.roles(account.roles),
                .boolean(account.isDisabled),
                .time(account.createdAt),
            )
        }
    }
}
