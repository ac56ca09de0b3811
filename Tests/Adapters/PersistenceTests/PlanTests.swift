import PostgresClient
import TestSupport
import Testing

@testable import Persistence

/// How PostgreSQL executes the queries in a database with many more rows than they return.
///
/// The plans are generic ones, as a connection uses them once it has run a statement a few times.
@Suite("Plans of the queries", .tags(.integration), .timeLimit(.minutes(3)))
struct PlanTests {
    /// 200 conversations of one user and 20 of each of 500 others; one of 5,000 requests (10,000 messages), and 20,000
    /// requests elsewhere.
    private static let fill = """
        INSERT INTO conversations (id, user_id, created_at, updated_at)
        SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
            CASE WHEN n <= 200 THEN 'ada' ELSE 'user ' || n % 500 END,
            '2026-01-01', timestamptz '2026-01-01' + n * interval '1 minute'
        FROM generate_series(1, 10200) AS n;
        INSERT INTO conversations (id, user_id, created_at, updated_at, deleted_at)
        SELECT ('00000000-0000-7000-a000-' || lpad(to_hex(n), 12, '0'))::uuid, 'ada', t, t, t
        FROM generate_series(1, 20000) AS n,
        LATERAL (SELECT timestamptz '2026-01-01' + n * interval '1 minute' AS t) AS time;
        INSERT INTO math_requests (id, conversation_id, user_id, problem, on_disconnect, on_busy, status, created_at,
            updated_at)
        SELECT ('00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, c.id, c.user_id, '2x + 3 = 7', 'continue',
            'enqueue', 'completed', t, t
        FROM generate_series(1, 25000) AS n,
        LATERAL (SELECT timestamptz '2026-02-01' + n * interval '1 second' AS t) AS time,
        LATERAL (SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(CASE WHEN n % 5 = 0 THEN 1 ELSE n % 10000 + 2 END),
            12, '0'))::uuid AS id) AS place
        JOIN conversations AS c USING (id);
        INSERT INTO ai_responses (id, request_id, content, attempts, created_at, updated_at)
        SELECT gen_random_uuid(), id, repeat('x = 2 ', 50), 1, created_at, created_at FROM math_requests;
        ANALYZE;
        """
    private static let conversation = "'00000000-0000-7000-8000-000000000001'"
    private static let request = "'00000000-0000-7000-9000-000000000005'"
    private static let uuidMax = "'ffffffff-ffff-ffff-ffff-ffffffffffff'"

    @Test("each query goes by an index that leads to its rows alone, on the first page and on the last")
    func plans() async throws {
        let database = try PostgresServer.shared.get().database()
        _ = try await migrate(database, Migration.all)
        try database.sql(Self.fill)
        let repository = PostgresConversationRepository.Statements.self
        let archive = PostgresRequestArchive.Statements.self
        let (id, last) = (Self.conversation, Self.uuidMax)
        let cases: [(PostgresStatement, String, String, Int)] = [
            (repository.find, "\(id), 'ada'", "conversations_pkey", 10),
            (repository.list, "'ada', '9999-12-31', \(last), 51", "conversations_by_user", 150),
            (repository.list, "'ada', '2026-01-01 01:00', \(last), 51", "conversations_by_user", 150),
            (repository.requests, "\(id), 'ada', '9999-12-31', \(last), 52", "math_requests_by_conversation", 400),
            (
                repository.requests, "\(id), 'ada', '2026-02-01 00:01', \(last), 52", "math_requests_by_conversation",
                400
            ),
            (archive.find, "\(Self.request), 'ada'", "math_requests_pkey", 20),
            (archive.deleted, "'ada', '2026-11-01', '0001'", "deleted_conversations_by_user", 10),
            (archive.turns, "\(id), 21, 32001", "math_requests_by_conversation", 200),
        ]
        for (statement, values, index, pagesMax) in cases {
            let plan = try explain(statement, values, database)
            #expect(plan.contains(index) && !plan.contains("Seq Scan") && !plan.contains("Sort"), "\(plan)")
            #expect(pages(plan) <= pagesMax, "\(plan)")
        }
    }
}

/// What EXPLAIN says of a statement with its parameters.
func explain(
    _ statement: PostgresStatement,
    _ values: String,
    _ database: PostgresTestDatabase
) throws -> String {
    try database.sql(
        """
        SET plan_cache_mode = force_generic_plan;
        PREPARE it AS \(statement.sql);
        EXPLAIN (ANALYZE, BUFFERS) EXECUTE it\(values.isEmpty ? "" : " (\(values))");
        """
    )
}

/// Pages of 8 KiB that were looked at for the whole statement.
func pages(_ plan: String) -> Int {
    let line = plan.split(separator: "\n").first { $0.contains("Buffers:") } ?? ""
    // Pages that the statement changed or wrote were found or read, too.
    return line.matches(of: /(hit|read)=([0-9]+)/).reduce(0) { $0 + (Int($1.2) ?? 0) }
}
