import Synchronization
import TestSupport
import Testing

@Suite("When PostgreSQL is away", .tags(.system), .serialized, .timeLimit(.minutes(3)))
struct DatabaseOutageTests {
    enum Fault: String, CaseIterable, Sendable {
        case stopped
        case frozen
        case killed
        case terminated
        case locked
    }

    /// Makes PostgreSQL fail in one way, waits for `meanwhile`, and ends the fault.
    private func inflict(
        _ fault: Fault,
        on database: PostgresTestDatabase,
        _ meanwhile: () async throws -> Void
    ) async throws {
        let server = database.server
        switch fault {
        case .stopped, .killed:
            fault == .stopped ? server.stop() : server.kill()
            try await meanwhile()
            try server.restart()
        case .frozen:
            server.pause()
            try await meanwhile()
            server.resume()
        case .terminated:
            let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            for _ in 0..<20 {
                try database.sql(others + " AND datname = current_database()")
                // Again and again for a second: the length of the fault.
                try await ContinuousClock().sleep(for: .milliseconds(50))
            }
            try await meanwhile()
        case .locked:
            let lock = Task.detached {
                try database.sql("BEGIN; LOCK TABLE math_requests IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(4); COMMIT")
            }
            try await meanwhile()
            _ = try await lock.value
        }
    }

    @Test(
        "no stream notices, nothing is lost, all is written once, and no connection is left",
        arguments: Fault.allCases
    )
    func faults(_ fault: Fault) async throws {
        let settings = ["MOCK_TOKENS": "50", "MOCK_TOKEN_DELAY": "20ms"]
        let plan = Deployment.Plan(apis: 2, workers: 2, environment: settings, postgres: .init())
        try await Deployment.running(plan) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            let database = deployment.database
            for worker in deployment.workers {
                #expect(try await eventually(within: .seconds(20)) { worker.isReady })
            }
            let underWay = Atomic(0)
            let transcripts = try await atOnce(41) { index -> Transcript? in
                guard index > 0 else {
                    let isBusy = try await eventually(within: .seconds(20)) {
                        underWay.load(ordering: .relaxed) == 40
                    }
                    #expect(isBusy)
                    try await inflict(fault, on: database) {
                        // Also what begins while it is away.
                        for number in 0..<5 {
                            let client = clients[number % 2]
                            #expect(try client.follow(try client.submit("meanwhile").streamUrl).faults.isEmpty)
                            if number == 0, fault != .locked, fault != .terminated { try expectBacklog(deployment) }
                        }
                    }
                    return nil
                }
                let client = clients[index % 2]
                let stream = try client.watch(try client.submit("client \(index)").streamUrl)
                var transcript = Transcript()
                try transcript.read(stream) { $0.names.count { $0 == "token" } >= 3 }
                underWay.add(1, ordering: .relaxed)
                try transcript.read(stream)
                return transcript
            }.compactMap(\.self)
            for transcript in transcripts {
                #expect(transcript.faults.isEmpty && transcript.story == ["queued", "started", "token", "completed"])
            }
            let kept = try await eventually(within: .seconds(40)) {
                try database.sql(
                    "SELECT count(*) FROM math_requests JOIN ai_responses ON request_id = math_requests.id"
                )
                    == "45"
            }
            #expect(kept)
            #expect(try database.sql("SELECT count(*) FROM math_requests") == "45")
            #expect(try database.sql("SELECT count(*) FROM ai_responses WHERE length(content) < 100") == "0")
            let isQuiet = try await eventually(within: .seconds(10)) {
                try deployment.askRedis("XLEN", "lemma:{p0}:finished") == "0\n"
            }
            #expect(isQuiet)
            #expect(try deployment.askRedis("EXISTS", "lemma:{p0}:finished-dead") == "0\n")
            let connections = try database.sql(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            #expect((Int(connections) ?? .max) <= 4 * 10, "a bounded pool for each of four replicas")
        }
    }

    private func expectBacklog(_ deployment: Deployment) throws {
        let areReady = deployment.workers.allSatisfy(\.isReady)
        #expect(areReady, "solving goes on")
        let readiness = try HTTPCall.send("GET", port: deployment.workers[0].opsPort, "/readyz").body
        #expect(readiness.contains(#""persister":{"waiting":"#))
        #expect(readiness.contains(#""postgres":{"status":"down""#))
    }

    @Test("a worker that is asked to end writes every record that it can")
    func drained() async throws {
        try await Deployment.running(Deployment.Plan(workers: 2)) { deployment in
            for number in 0..<20 { _ = try deployment.api.follow(try deployment.api.submit("a \(number)").streamUrl) }
            for worker in deployment.workers {
                worker.process.signal(15)
                #expect(worker.process.waitForExit(within: .seconds(20)) != nil)
            }
            #expect(try deployment.askRedis("XLEN", "lemma:{p0}:finished") == "0\n")
            let groups = try deployment.askRedis("XINFO", "CONSUMERS", "lemma:{p0}:finished", "persisters")
            #expect(groups == "\n", "and takes its name off the list")
            #expect(try deployment.database.sql("SELECT count(*) FROM ai_responses") == "20")
        }
    }

    @Test("what a killed persister had is written by another one, once")
    func killed() async throws {
        let settings = ["JOB_LEASE": "1s"]
        try await Deployment.running(Deployment.Plan(workers: 2, environment: settings, postgres: .init())) {
            deployment in
            deployment.database.server.pause()
            for number in 0..<30 { _ = try deployment.api.follow(try deployment.api.submit("a \(number)").streamUrl) }
            // Both hold a batch by now.
            let areHeld = try await eventually(within: .seconds(10)) {
                try deployment.askRedis("XINFO", "CONSUMERS", "lemma:{p0}:finished", "persisters").contains("pending")
            }
            #expect(areHeld)
            deployment.workers[0].kill()
            deployment.database.server.resume()
            let kept = try await eventually(within: .seconds(60)) {
                try deployment.database.sql("SELECT count(*) FROM ai_responses") == "30"
            }
            #expect(kept)
            #expect(try deployment.database.sql("SELECT count(*) FROM math_requests") == "30")
            // The frozen server may have got the dead one's batch already; its records are taken over all the same.
            let isTakenOver = try await eventually(within: .seconds(60)) {
                try deployment.askRedis("XLEN", "lemma:{p0}:finished") == "0\n"
            }
            #expect(isTakenOver)
            #expect(try deployment.database.sql("SELECT count(*) FROM ai_responses") == "30")
        }
    }

    @Test("a record that PostgreSQL refuses is dead-lettered; the others of its batch are archived")
    func refused() async throws {
        try await Deployment.running(Deployment.Plan(postgres: .init())) { deployment in
            try deployment.database.sql("ALTER TABLE math_requests ADD CHECK (problem <> 'bad')")
            deployment.database.server.pause()
            for number in 0..<10 {
                let problem = number == 4 ? "bad" : "good \(number)"
                _ = try deployment.api.follow(try deployment.api.submit(problem).streamUrl)
            }
            deployment.database.server.resume()
            let kept = try await eventually(within: .seconds(30)) {
                let answers = try deployment.database.sql("SELECT count(*) FROM ai_responses")
                return try answers == "9" && deployment.askRedis("XLEN", "lemma:{p0}:finished-dead") == "2\n"
            }
            #expect(kept)
            #expect(try deployment.workers[0].metric("lemma_persister_records_refused_total") == 2)
        }
    }
}
