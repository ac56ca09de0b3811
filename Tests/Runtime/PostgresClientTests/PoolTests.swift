import EventLoop
import PostgresClient
import TestSupport
import Testing

private let sleep = PostgresStatement("SELECT pg_sleep($1::float8)")
private let processID = PostgresStatement("SELECT pg_backend_pid()::int8")
private let createTable = PostgresStatement("CREATE TABLE counts (name text PRIMARY KEY, value int8 NOT NULL)")
private let insert = PostgresStatement("INSERT INTO counts VALUES ($1, 0)")
private let increment = PostgresStatement("UPDATE counts SET value = value + 1 WHERE name = $1 RETURNING value")

@Suite("The pool", .tags(.integration), .timeLimit(.minutes(3)))
struct PoolTests {
    @Test("connections stay within the limit, callers get one in turn, and idle ones are reused")
    func bounded() async throws {
        try await withPool(PoolLimits(connectionsMax: 3)) { pool, database, observer in
            let done = OneShot<Void>(loop: pool.loop)
            var ended = 0
            for _ in 0..<20 {
                pool.loop.spawn {
                    _ = try? await pool.run(sleep(.double(0.02)))
                    ended += 1
                    if ended == 20 { done.succeed(()) }
                }
            }
            try await done.value()
            #expect(observer.opened == 3 && pool.connectionCount == 3 && pool.idleCount == 3)
            for _ in 0..<10 { _ = try await pool.run(processID()) }
            #expect(observer.opened == 3)
            #expect(observer.usage.contains("0 in use, 20 waiting"))
            #expect(observer.usage.contains { $0.hasPrefix("3 in use") })
            #expect(observer.usage.last == "0 in use, 0 waiting")
            let clients = try database.sql(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lemma-test'"
                    + " AND datname = current_database()"
            )
            #expect(clients == "3")
        }
    }

    @Test("a caller fails at its deadline without a connection, and at once above the limit of waiting callers")
    func exhausted() async throws {
        try await withPool(PoolLimits(connectionsMax: 1, waitersMax: 1)) { pool, _, observer in
            _ = try await pool.run(processID())
            let holder = pool.loop.spawn { _ = try? await pool.run(sleep(.double(30))) }
            try await eventually("the connection is taken", on: pool.loop) { pool.idleCount == 0 }
            let waiter = OneShot<PostgresError?>(loop: pool.loop)
            pool.loop.spawn {
                waiter.succeed(
                    await failure { () async throws(PostgresError) in
                        try await pool.run(processID(), within: .milliseconds(500))
                    }
                )
            }
            try await eventually("a caller waits", on: pool.loop) { observer.usage.last == "1 in use, 1 waiting" }
            let refused = await failure { () async throws(PostgresError) in try await pool.run(processID()) }
            #expect(refused == .exhausted)
            #expect(try await waiter.value() == .exhausted)
            holder.cancel()
            #expect(try await pool.run(processID()).count == 1)
        }
    }

    @Test("a batch fails at its deadline; its statement is cancelled on the server and its connection closes")
    func deadline() async throws {
        try await withPool { pool, database, observer in
            let before = try await pool.run(processID()).first?.integer(0)
            // The statement lasts longer than this suite may.
            let error = await failure { () async throws(PostgresError) in
                try await pool.run(sleep(.double(600)), within: .milliseconds(300))
            }
            #expect(error == .timedOut && observer.timeouts == 1)
            try await eventually("the connection has gone", on: pool.loop) { pool.connectionCount == 0 }
            #expect(try await TestSupport.eventually { try database.sql(Self.sleeping) == "0" })
            #expect(try await pool.run(processID()).first?.integer(0) != before)
        }
    }

    @Test("cancelling the caller cancels its batch on the server")
    func cancelled() async throws {
        try await withPool { pool, database, _ in
            let ended = OneShot<PostgresError?>(loop: pool.loop)
            let task = pool.loop.spawn {
                ended.succeed(
                    await failure { () async throws(PostgresError) in try await pool.run(sleep(.double(600))) }
                )
            }
            #expect(try await TestSupport.eventually { try database.sql(Self.sleeping) == "1" })
            task.cancel()
            // The task is cancelled, so it cannot wait itself.
            await task.value
            try await eventually("its connection has gone", on: pool.loop) { pool.connectionCount == 0 }
            #expect(ended.isSettled)
            #expect(try await TestSupport.eventually { try database.sql(Self.sleeping) == "0" })
        }
    }

    @Test("a lock that is not released fails its waiters at their deadline and affects no other batch")
    func slowLock() async throws {
        try await withPool(PoolLimits(connectionsMax: 4)) { pool, database, _ in
            _ = try await pool.run(createTable())
            for name in ["locked", "free"] { _ = try await pool.run(insert(.text(name))) }
            let lock = "BEGIN; UPDATE counts SET value = 100 WHERE name = 'locked'; SELECT pg_sleep(600)"
            let holder = try database.server.startSQL(lock, in: database.name)
            let held =
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'BEGIN; UPDATE%' AND datname ="
                + " current_database() AND wait_event = 'PgSleep'"
            #expect(try await TestSupport.eventually { try database.sql(held) == "1" })
            let error = await failure { () async throws(PostgresError) in
                try await pool.run(increment(.text("locked")), within: .milliseconds(200))
            }
            #expect(error == .timedOut)
            #expect(try await pool.run(increment(.text("free"))).first?.integer(0) == 1)
            let waiting =
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            #expect(
                try await TestSupport.eventually { try database.sql(waiting) == "0" },
                "the statement no longer waits"
            )
            _ = try database.sql(held.replacing("count(*)", with: "pg_terminate_backend(pid)"))
            holder.wait()
            // The cancelled statement was not executed later.
            #expect(try await pool.run(increment(.text("locked"))).first?.integer(0) == 1)
        }
    }

    @Test("idle connections that the server closes are removed at once, and no batch fails")
    func terminatedIdle() async throws {
        try await withPool { pool, database, observer in
            _ = try await pool.run(processID())
            try database.sql(Self.terminateAll)
            try await eventually("the pool has noticed", on: pool.loop) { pool.connectionCount == 0 }
            #expect(observer.lost == 1)
            #expect(try await pool.run(processID()).count == 1)
        }
    }

    @Test("a batch on a terminated backend is repeated where it may be, and fails otherwise")
    func terminatedBusy() async throws {
        for mayRepeat in [true, false] {
            try await withPool { pool, database, observer in
                let outcome = OneShot<PostgresError?>(loop: pool.loop)
                pool.loop.spawn {
                    outcome.succeed(
                        await failure { () async throws(PostgresError) in
                            try await pool.run([sleep(.double(1))], within: .seconds(30), mayRepeat: mayRepeat)
                        }
                    )
                }
                try await eventually("it runs", on: pool.loop) { pool.connectionCount == 1 && pool.idleCount == 0 }
                #expect(try await TestSupport.eventually { try database.sql(Self.sleeping) == "1" })
                try database.sql(Self.terminateAll)
                #expect(try await outcome.value() == (mayRepeat ? nil : .connectionLost))
                #expect(observer.lost == 1)
            }
        }
    }

    @Test("a connection that breaks during the cancellation of its statement frees its place at once")
    func brokenWhileCancelled() async throws {
        let database = try PostgresServer.shared.get().database()
        try await onLoop { loop in
            let relay = try await Relay(to: database.server.port, on: loop)
            let url = "postgres://lemma@127.0.0.1:\(relay.port)/\(database.name)"
            let pool = try pool(url, on: loop) { $0.connectionsMax = 1 }
            defer { pool.close() }
            _ = try await pool.run(processID())
            relay.isHolding = true
            loop.spawn { _ = try? await pool.run(sleep(.double(600)), within: .milliseconds(500)) }
            try await eventually("the connection is taken", on: loop) { pool.idleCount == 0 }
            let answer = OneShot<Int?>(loop: loop)
            loop.spawn { answer.succeed(try? await pool.run(processID(), within: .seconds(120)).count) }
            try await eventually("the cancellation connects", on: loop) { relay.heldCount == 1 }
            relay.cut()
            try await eventually("the next caller's connection opens", on: loop) { relay.heldCount == 2 }
            #expect(pool.connectionCount == 1)
            relay.isHolding = false
            #expect(try await answer.value() == 1)
            #expect(try await TestSupport.eventually { try database.sql(Self.sleeping) == "0" })
        }
    }

    @Test("the pool reconnects to a restarted server, which has every acknowledged write")
    func restart() async throws {
        try await PostgresServer.running { server in
            try await onLoop { loop in
                let observer = RecordingObserver()
                let pool = try pool(server.url(), on: loop, observer: observer)
                defer { pool.close() }
                _ = try await pool.run(createTable())
                _ = try await pool.run(insert(.text("writes")))
                var acknowledged: Int64 = 0
                for round in 0..<3 {
                    for _ in 0..<20 {
                        acknowledged = try await pool.run(increment(.text("writes"))).first?.integer(0) ?? 0
                    }
                    if round == 2 { break }
                    if round == 0 { server.stop() } else { server.kill() }
                    try await eventually("the pool has noticed", on: loop) { pool.connectionCount == 0 }
                    let away = await failure { () async throws(PostgresError) in
                        try await pool.run(increment(.text("writes")))
                    }
                    guard case .unreachable(let reason) = away else {
                        Issue.record("not unreachable: \(String(describing: away))")
                        return
                    }
                    #expect(reason.contains("\(server.port)") && reason.contains("Connection refused"))
                    try server.restart()
                }
                #expect(acknowledged == 60 && pool.connectionCount == 1)
            }
        }
    }

    @Test("with a frozen server each caller fails at its deadline, within the limit of connections; later ones succeed")
    func frozen() async throws {
        try await PostgresServer.running { server in
            try await onLoop { loop in
                let pool = try pool(server.url(), on: loop) {
                    $0.connectionsMax = 4
                    $0.connectLimit = .milliseconds(300)
                }
                defer { pool.close() }
                _ = try await pool.run(processID(), within: .seconds(30))
                server.pause()
                var errors: [PostgresError?] = []
                for _ in 0..<12 {
                    loop.spawn {
                        errors.append(
                            await failure { () async throws(PostgresError) in
                                try await pool.run(processID(), within: .milliseconds(500))
                            }
                        )
                    }
                }
                var most = 0
                try await eventually("all have failed", on: loop) {
                    most = max(most, pool.connectionCount)
                    return errors.count == 12
                }
                #expect(errors.allSatisfy { $0 != nil } && most <= 4)
                server.resume()
                #expect(try await TestSupport.eventually { (try? await pool.run(processID())) != nil })
                try await eventually("no more than the limit", on: loop) { pool.connectionCount <= 4 }
            }
        }
    }

    @Test("idle connections are probed, then closed except one")
    func idle() async throws {
        try await withPool(PoolLimits(unusedMax: .milliseconds(1))) { pool, _, observer in
            for _ in 0..<3 { pool.loop.spawn { _ = try? await pool.run(sleep(.double(0.05))) } }
            try await eventually("three connections", on: pool.loop) { observer.opened == 3 }
            try await eventually("one is left", on: pool.loop) { pool.connectionCount == 1 && pool.idleCount == 1 }
            #expect(observer.lost == 0)
        }
    }

    @Test("closing fails every caller at once")
    func close() async throws {
        try await withPool(PoolLimits(connectionsMax: 1)) { pool, database, observer in
            var errors: [PostgresError?] = []
            for _ in 0..<2 {
                pool.loop.spawn {
                    errors.append(
                        await failure { () async throws(PostgresError) in try await pool.run(sleep(.double(600))) }
                    )
                }
            }
            try await eventually("one runs", on: pool.loop) { observer.usage.last == "1 in use, 1 waiting" }
            pool.close()
            try await eventually("both have failed", on: pool.loop) { errors.count == 2 }
            #expect(errors.allSatisfy { $0 == .closed })
            let late = await failure { () async throws(PostgresError) in try await pool.run(processID()) }
            #expect(late == .closed)
        }
    }

    /// How many statements of the pool sleep on the server.
    private static let sleeping =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(%' AND state = 'active'"
        + " AND datname = current_database() AND pid <> pg_backend_pid()"

    private static let terminateAll =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lemma-test'"
        + " AND datname = current_database() AND pid <> pg_backend_pid()"
}
