import PostgresClient
import TestSupport
import Testing

@testable import Persistence

/// How PostgreSQL finds accounts, sessions, keys and usage among many; see ``PlanTests``.
@Suite("Plans of the queries about accounts", .tags(.integration), .timeLimit(.minutes(3)))
struct AccountPlanTests {
    /// 20,000 accounts, every tenth of an issuer, some of them withdrawn; each with two sessions, a key, two conversations
    /// of two requests and 30 days of usage.
    private static let fill = """
        CREATE FUNCTION account(n int) RETURNS uuid IMMUTABLE LANGUAGE sql
        AS $$ SELECT ('01990000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
        INSERT INTO users (id, email, canonical_email, password_hash, issuer, subject, roles, created_at, updated_at)
        SELECT account(n), email, email, CASE WHEN n % 10 > 0 THEN 'hash' END,
            CASE WHEN n % 10 = 0 THEN 'https://issuer' END, CASE WHEN n % 10 = 0 THEN 'user ' || n END,
            '{student}', '2026-01-01', '2026-01-01'
        FROM generate_series(1, 20000) AS n,
        LATERAL (SELECT CASE WHEN n % 10 > 0 THEN 'user' || n || '@example.org' END AS email) AS e;
        UPDATE users SET disabled_at = now(), access_changed_at = now() - random() * interval '90 days'
        WHERE right(id::text, 2) = 'ff';
        INSERT INTO sessions (id, account_id, current_token, created_at, updated_at, expires_at, revoked_at)
        SELECT ('01990000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, account(1 + n % 20000), 'current ' || n,
            '2026-01-01', '2026-01-01', timestamptz '2026-06-01' + n * interval '1 minute',
            CASE WHEN n % 50 = 0 THEN timestamptz '2026-06-01' + n * interval '1 minute' END
        FROM generate_series(1, 40000) AS n;
        INSERT INTO api_keys (id, account_id, secret_digest, name, scopes, acts_for_end_users, created_at, updated_at,
            revoked_at, access_changed_at)
        SELECT ('01990000-0000-7000-a000-' || lpad(to_hex(n), 12, '0'))::uuid, account(n), 'digest ' || n, 'key',
            '{read,solve}', false, '2026-01-01', '2026-01-01', revoked, revoked
        FROM generate_series(1, 20000) AS n,
        LATERAL (SELECT CASE WHEN n % 50 = 0 THEN timestamptz '2026-06-01' + n * interval '1 minute' END AS revoked) AS r;
        INSERT INTO conversations (id, user_id, created_at, updated_at)
        SELECT ('01990000-0000-7000-b000-' || lpad(to_hex(n), 12, '0'))::uuid,
            account(1 + n % 20000) || CASE WHEN n > 20000 THEN '/end user' ELSE '' END, '2026-01-01', '2026-01-01'
        FROM generate_series(1, 40000) AS n;
        INSERT INTO math_requests (id, conversation_id, user_id, problem, on_disconnect, on_busy, status, created_at,
            updated_at)
        SELECT gen_random_uuid(), id, user_id, '2x + 3 = 7', 'continue', 'enqueue', 'completed', created_at, created_at
        FROM conversations, generate_series(1, 2);
        INSERT INTO usage_days (user_id, day, requests, input_tokens, output_tokens)
        SELECT account(n)::text, DATE '2026-01-01' + d, 1, 2, 3
        FROM generate_series(1, 20000) AS n, generate_series(1, 30) AS d;
        ANALYZE;
        """
    private static let account = "'01990000-0000-7000-8000-000000000007'"
    private static let uuidMax = "'ffffffff-ffff-ffff-ffff-ffffffffffff'"
    private static let uuidMin = "'00000000-0000-0000-0000-000000000000'"

    private struct Case {
        let statement: PostgresStatement
        let values: String
        /// Each has to be in the plan.
        let indexes: [String]
        let pagesMax: Int

        init(_ statement: PostgresStatement, _ values: String, _ indexes: [String], _ pagesMax: Int) {
            self.statement = statement
            self.values = values
            self.indexes = indexes
            self.pagesMax = pagesMax
        }
    }

    @Test("each query goes by an index that leads to its rows alone")
    func plans() async throws {
        let database = try PostgresServer.shared.get().database()
        _ = try await migrate(database, Migration.all)
        try database.sql(Self.fill)
        for one in cases {
            let plan = try explain(one.statement, one.values, database)
            #expect(one.indexes.allSatisfy(plan.contains) && !plan.contains("Seq Scan"), "\(plan)")
            // The conversations of one account are sorted by id, page by page.
            let maySort = one.statement === PostgresArchiveErasure.Statements.conversations
            #expect(maySort || !plan.contains("Sort"), "\(plan)")
            #expect(pages(plan) <= one.pagesMax, "\(plan)")
        }
    }

    private var cases: [Case] {
        let accounts = PostgresAccountRepository.Statements.self
        let sessions = PostgresSessionRepository.Statements.self
        let keys = PostgresAPIKeyRepository.Statements.self
        let changes = PostgresAccessChanges.Statements.self
        let erasure = PostgresArchiveErasure.Statements.self
        let session = "'01990000-0000-7000-9000-000000000007'"
        return [
            Case(accounts.find, Self.account, ["users_pkey"], 10),
            Case(accounts.findPasswordByEmail, "'user7@example.org'", ["users_canonical_email_key"], 10),
            Case(accounts.findIssuer, "'https://issuer', 'user 70'", ["users_issuer_subject_key"], 10),
            Case(accounts.list, "\(Self.uuidMax), NULL, 51", ["users_pkey"], 80),
            Case(
                sessions.rotate,
                "\(session), 'current 7', 'next', '2026-01-02', 10000",
                ["sessions_pkey", "users_pkey"],
                60,
            ),
            Case(keys.find, "'digest 7'", ["api_keys_secret_digest_key", "users_pkey"], 10),
            Case(keys.list, "\(Self.account), 100", ["api_keys_by_account"], 10),
            Case(changes.changedAccounts, "now() - interval '1 day'", ["users_by_access_change"], 30),
            Case(changes.revokedKeysSince, "now()", ["api_keys_by_access_change"], 10),
            Case(changes.withdrawnAccounts, "", ["users_withdrawn"], 200),
            Case(
                PostgresUsageRepository.Statements.days,
                "\(Self.account), 20454, 20484",
                ["usage_days_pkey"],
                80,
            ),
            Case(
                erasure.conversations,
                "\(Self.account), \(Self.uuidMin), 50",
                ["conversations_by_account", "math_requests_by_conversation"],
                60,
            ),
            Case(erasure.deleteUsage, "\(Self.account), \(Self.account)", ["conversations_by_account"], 60),
        ]
    }

    @Test("ended sessions are found by their two indexes, however many live")
    func endedSessions() async throws {
        let database = try PostgresServer.shared.get().database()
        _ = try await migrate(database, Migration.all)
        try database.sql(Self.fill)
        let statement = PostgresSessionRepository.Statements.deleteEnded
        let plan = try explain(statement, "'2026-06-01 00:10', 1000", database)
        #expect(plan.contains("sessions_by_expiry") && plan.contains("sessions_revoked"), "\(plan)")
        #expect(!plan.contains("Seq Scan on sessions"), "\(plan)")
    }
}
