import EventLoop
import PostgresClient
import TestSupport
import Testing

private let first = PostgresStatement("SELECT 'first ' || $1")
private let second = PostgresStatement("SELECT 'second ' || $1")
private let sleep = PostgresStatement("SELECT pg_sleep(30)")
private let prepared = PostgresStatement("SELECT count(*) FROM pg_prepared_statements")

@Suite("The pool behind PgBouncer with a session for each transaction", .tags(.integration), .timeLimit(.minutes(1)))
struct PoolerTests {
    @Test("clients that share sessions get the results of their own statements")
    func shared() async throws {
        let database = try PostgresServer.shared.get().database()
        let pooler = try PgBouncer(before: database.server)
        try await onLoop { loop in
            // The first statements of two clients would have the same name.
            let pools = try (0..<4).map { _ in try pool(pooler.url(database), on: loop) }
            defer { for pool in pools { pool.close() } }
            for round in 0..<50 {
                let pool = pools[round % 4]
                let order = round % 4 < 2 ? [first, second] : [second, first]
                let calls = order.map { $0(.text("\(round)")) }
                let rows = try await pool.run(calls, within: .seconds(10), mayRepeat: false)
                let texts = rows.map { $0.first?.text(0) ?? "" }
                #expect(
                    texts
                        == (round % 4 < 2
                            ? ["first \(round)", "second \(round)"] : ["second \(round)", "first \(round)"])
                )
            }
            let count = try await pools[0].run([prepared()], within: .seconds(10), mayRepeat: false)
            #expect(count.first?.first?.integer(0) == 0, "no statement stays in the sessions")
        }
    }

    @Test("without a pooler statements are prepared once")
    func direct() async throws {
        try await withPool { pool, _, _ in
            for _ in 0..<3 { _ = try await pool.run([first(.text("x"))], within: .seconds(10), mayRepeat: false) }
            let count = try await pool.run([prepared()], within: .seconds(10), mayRepeat: false)
            #expect(count.first?.first?.integer(0) == 2)
        }
    }

    @Test("a statement that exceeds its deadline affects no other client's")
    func deadline() async throws {
        let database = try PostgresServer.shared.get().database()
        let pooler = try PgBouncer(before: database.server, sessions: 3)
        try await onLoop { loop in
            let (slow, other) = (try pool(pooler.url(database), on: loop), try pool(pooler.url(database), on: loop))
            defer {
                slow.close()
                other.close()
            }
            await #expect(throws: PostgresError.timedOut) {
                _ = try await slow.run([sleep()], within: .milliseconds(300), mayRepeat: false)
            }
            for round in 0..<10 {
                for pool in [slow, other] {
                    let rows = try await pool.run([first(.text("\(round)"))], within: .seconds(10), mayRepeat: false)
                    #expect(rows.first?.first?.text(0) == "first \(round)")
                }
            }
        }
    }
}
