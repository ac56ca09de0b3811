import FoundationEssentials
import TestSupport
import Testing

@Suite("Users that operators erase", .tags(.system), .timeLimit(.minutes(2)))
struct UserErasureTests {
    private static let account = "01990000-0000-7000-8000-000000000007"

    @Test("a worker erases what lemma users delete has begun, and leaves others as they are; the command waits for it")
    func delete() async throws {
        try await Deployment.running { deployment in
            let client = deployment.api
            let submitted = try client.submit("a b")
            #expect(try client.follow(submitted.streamUrl).text == "a b ")
            try deployment.database.sql(
                """
                INSERT INTO users (id, email, canonical_email, password_hash, roles, created_at, updated_at)
                VALUES ('\(Self.account)', 'ada@example.org', 'ada@example.org', 'hash', '{student}', now(), now());
                INSERT INTO conversations (id, user_id, title, created_at, updated_at)
                SELECT gen_random_uuid(), '\(Self.account)' || suffix, 'mine', now(), now()
                FROM unnest(ARRAY['', '/end user']) AS s (suffix), generate_series(1, 75);
                INSERT INTO usage_days VALUES ('\(Self.account)/end user', '2026-01-01', 1, 2, 3)
                """
            )
            try deployment.run("users", "delete", "ada@example.org")
            let rows = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM conversations)"
            #expect(try await eventually { try deployment.database.sql(rows) == "0|1" })
            #expect(try deployment.database.sql("SELECT user_id, requests FROM usage_days") == "anonymous|1")
            #expect(try client.read(submitted.correlationId).status == "completed")
        }
    }
}
