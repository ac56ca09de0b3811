import EventLoop
import PostgresClient
import TestSupport
import Testing

private let echo = PostgresStatement(
    "SELECT $1::text, $2::uuid, $3::int8, $4::float8, $5::bool, $6::timestamptz, $6::timestamptz::text"
)
private let echoArrays = PostgresStatement(
    """
    SELECT t, u, i, d, b, m FROM unnest($1::text[], $2::uuid[], $3::int8[], $4::float8[], $5::bool[], $6::timestamptz[])
    WITH ORDINALITY AS row (t, u, i, d, b, m, place) ORDER BY place
    """
)
private let createTable = PostgresStatement("CREATE TABLE things (id int8 PRIMARY KEY, name text)")
private let insert = PostgresStatement("INSERT INTO things VALUES ($1, $2)")
private let count = PostgresStatement("SELECT count(*) FROM things")
private let preparedCount = PostgresStatement("SELECT count(*) FROM pg_prepared_statements")
private let createTree = PostgresStatement(
    "CREATE TABLE tree (id int8 PRIMARY KEY, parent int8 REFERENCES tree DEFERRABLE INITIALLY DEFERRED)"
)
private let addLeaf = PostgresStatement("INSERT INTO tree VALUES ($1, $2)")
private let double = PostgresStatement("SELECT 2 * $1::int8")
private let divide = PostgresStatement("SELECT 1 / $1::int8")

@Suite("Statements and batches", .tags(.integration), .timeLimit(.minutes(2)))
struct StatementTests {
    private let uuid = PostgresUUID(high: 0x0123_4567_89ab_7def, low: 0xfedc_ba98_7654_3210)

    @Test("every type and null round-trip")
    func types() async throws {
        let uuid = uuid
        try await withPool { pool, _, _ in
            let moment = PostgresTimestamp(milliseconds: 1_795_689_000_251)
            let row = try #require(
                try await pool.run(
                    echo(
                        .text("x = √2 “é” '; DROP TABLE things; --"),
                        .uuid(uuid),
                        .integer(-7),
                        .double(-0.5),
                        .boolean(true),
                        .timestamp(moment),
                    )
                ).first
            )
            #expect(row.text(0) == "x = √2 “é” '; DROP TABLE things; --")
            #expect(row.uuid(1) == uuid)
            #expect(row.integer(2) == -7)
            #expect(row.double(3) == -0.5)
            #expect(row.boolean(4) == true)
            #expect(row.timestamp(5) == moment)
            let nulls = echo(.text(nil), .uuid(nil), .integer(nil), .double(nil), .boolean(nil), .timestamp(nil))
            let empty = try #require(try await pool.run(nulls).first)
            #expect(empty.text(0) == nil && empty.uuid(1) == nil && empty.integer(2) == nil)
            #expect(empty.double(3) == nil && empty.boolean(4) == nil && empty.timestamp(5) == nil)
            let before2000 = PostgresTimestamp(milliseconds: -1)
            let old = echo(.text(""), .uuid(nil), .integer(nil), .double(nil), .boolean(false), .timestamp(before2000))
            let oldRow = try #require(try await pool.run(old).first)
            #expect(oldRow.text(0) == "" && oldRow.boolean(4) == false && oldRow.timestamp(5) == before2000)
        }
    }

    @Test("arrays round-trip element by element, including nulls and empty ones")
    func arrays() async throws {
        let uuid = uuid
        try await withPool { pool, _, _ in
            let moment = PostgresTimestamp(milliseconds: 5)
            let call = echoArrays(
                .texts(["a", nil, ""]),
                .uuids([uuid, nil, uuid]),
                .integers([1, nil, .min]),
                .doubles([0.25, nil, 1]),
                .booleans([true, nil, false]),
                .timestamps([moment, nil, moment]),
            )
            let rows = try await pool.run(call)
            #expect(rows.map { $0.text(0) } == ["a", nil, ""])
            #expect(rows.map { $0.uuid(1) } == [uuid, nil, uuid])
            #expect(rows.map { $0.integer(2) } == [1, nil, .min])
            #expect(rows.map { $0.double(3) } == [0.25, nil, 1])
            #expect(rows.map { $0.boolean(4) } == [true, nil, false])
            #expect(rows.map { $0.timestamp(5) } == [moment, nil, moment])
            let none = echoArrays(.texts([]), .uuids([]), .integers([]), .doubles([]), .booleans([]), .timestamps([]))
            #expect(try await pool.run(none).count == 0)
        }
    }

    @Test("a batch is one transaction: committed as a whole, or rolled back as a whole by its first error")
    func transaction() async throws {
        try await withPool { pool, _, _ in
            _ = try await pool.run(createTable())
            let good = [insert(.integer(1), .text("a")), insert(.integer(2), .text("b")), count()]
            #expect(try await pool.run(good, within: .seconds(30), mayRepeat: false)[2].first?.integer(0) == 2)
            let bad = [insert(.integer(3), .text("c")), insert(.integer(1), .text("again")), count()]
            let error = await failure { () async throws(PostgresError) in
                try await pool.run(bad, within: .seconds(30), mayRepeat: false)
            }
            #expect(error == .server(PostgresServerError(state: "23505")))
            #expect(try await pool.run(count()).first?.integer(0) == 2)
            #expect(pool.connectionCount == 1)
        }
    }

    @Test("a constraint that fails at the commit fails its own batch, and the next batch gets its own results")
    func deferredConstraint() async throws {
        try await withPool(PoolLimits(connectionsMax: 1)) { pool, _, _ in
            _ = try await pool.run(createTree())
            let error = await failure { () async throws(PostgresError) in
                try await pool.run([addLeaf(.integer(1), .integer(9))], within: .seconds(30), mayRepeat: false)
            }
            #expect(error == .server(PostgresServerError(state: "23503")))
            for value in Int64(1)...3 {
                let row = try await pool.run(double(.integer(value))).first
                #expect(row?.integer(0) == 2 * value)
            }
            #expect(pool.connectionCount == 1)
        }
    }

    @Test("a statement is prepared once on a connection, also where an earlier error skipped its preparation")
    func prepared() async throws {
        try await withPool { pool, _, _ in
            let error = await failure { () async throws(PostgresError) in
                try await pool.run([divide(.integer(0)), echoArrays.empty], within: .seconds(30), mayRepeat: false)
            }
            #expect(error == .server(PostgresServerError(state: "22012")))
            for _ in 0..<5 {
                _ = try await pool.run([divide(.integer(1)), echoArrays.empty], within: .seconds(30), mayRepeat: false)
            }
            #expect(try await pool.run(preparedCount()).first?.integer(0) == 3)
            #expect(pool.connectionCount == 1)
        }
    }

    @Test("large values and long batches are transferred in both directions at once")
    func large() async throws {
        try await withPool { pool, _, _ in
            let text = String(repeating: "0123456789abcdef", count: 1 << 16)
            let calls = (0..<40).map { _ in
                echo(.text(text), .uuid(nil), .integer(nil), .double(nil), .boolean(nil), .timestamp(nil))
            }
            let rows = try await pool.run(calls, within: .seconds(60), mayRepeat: false)
            #expect(rows.count == 40 && rows.allSatisfy { $0.first?.text(0) == text })
        }
    }

    @Test("errors contain the SQLSTATE and its kind, and no part of the statement or the data")
    func errors() async throws {
        try await withPool { pool, _, _ in
            _ = try await pool.run(createTable())
            _ = try await pool.run(insert(.integer(1), .text("secret")))
            let error = await failure { () async throws(PostgresError) in
                try await pool.run(insert(.integer(1), .text("secret")))
            }
            #expect(error.map { "\($0)" } == "SQLSTATE 23505")
            let kinds: [(String, PostgresServerError.Kind)] = [
                ("08006", .unavailable), ("57P01", .unavailable), ("53300", .unavailable), ("42P01", .unavailable),
                ("40001", .conflicting), ("40P01", .conflicting), ("55P03", .conflicting), ("57014", .conflicting),
                ("26000", .conflicting), ("22021", .refused), ("23503", .refused), ("54000", .refused),
            ]
            for (state, kind) in kinds { #expect(PostgresServerError(state: state).kind == kind) }
        }
    }
}

extension PostgresStatement {
    fileprivate var empty: PostgresCall {
        self(.texts([]), .uuids([]), .integers([]), .doubles([]), .booleans([]), .timestamps([]))
    }
}
