import Glibc
import Synchronization
import TestSupport
import Testing

@Suite("When Redis is away", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct OutageTests {
    private func status(_ replica: Replica, _ path: String) throws -> Int {
        try HTTPCall.send("GET", port: replica.opsPort, path).status
    }

    @Test(
        "submissions are refused with 503, readiness fails, liveness does not, and all works again with a fresh Redis"
    )
    func down() async throws {
        try await Deployment.running { deployment in
            let client = deployment.api
            let replicas = deployment.apis + deployment.workers
            #expect(try client.follow(try client.submit("a b c").streamUrl).text == "a b c ")
            for replica in replicas { #expect(try status(replica, "/readyz") == 200) }

            deployment.redis.kill()
            let refused = try client.post("d e f")
            #expect(refused.status == 503)
            #expect(refused["content-type"] == "application/problem+json")
            #expect(refused["retry-after"].flatMap { Int($0) } ?? 0 > 0)
            #expect(try (client.decode(refused) as Client.ProblemDocument).status == 503)
            for replica in replicas {
                #expect(try status(replica, "/readyz") == 503)
                #expect(try status(replica, "/healthz") == 200)
            }

            // It restarts empty: no job stream, no group, no functions.
            try deployment.redis.restart(keepingData: false)
            for replica in replicas {
                #expect(try await eventually(within: .seconds(10)) { replica.isReady })
            }
            // Each loop of a replica has connections of its own: the replica is ready when all have reconnected.
            for problem in 0..<8 {
                let transcript = try client.follow(try client.submit("after \(problem)").streamUrl)
                #expect(transcript.text == "after \(problem) ")
                #expect(transcript.faults.isEmpty)
            }
        }
    }

    @Test("running answers continue without a loss after a restart of a Redis that keeps its data")
    func restart() async throws {
        var redis = RedisServer.Options()
        redis.appendOnly = true
        let settings = ["MOCK_TOKENS": "100", "MOCK_TOKEN_DELAY": "20ms"]
        let plan = Deployment.Plan(apis: 2, workers: 2, environment: settings, redis: redis)
        try await Deployment.running(plan) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            let underWay = Atomic(0)
            let transcripts = try await atOnce(30) { index in
                let client = clients[index % 2]
                let stream = try client.watch(try client.submit("client \(index)").streamUrl)
                var transcript = Transcript()
                try transcript.read(stream) { $0.names.count { $0 == "token" } >= 5 }
                underWay.add(1, ordering: .relaxed)
                if index == 0 {
                    _ = try await eventually(within: .seconds(10)) { underWay.load(ordering: .relaxed) == 30 }
                    try deployment.redis.restart()
                }
                try transcript.read(stream)
                return transcript
            }
            for (index, transcript) in transcripts.enumerated() {
                #expect(transcript.text == echo("client \(index)", tokens: 100))
                #expect(transcript.faults.isEmpty)
                #expect(transcript.story == ["queued", "started", "token", "completed"])
            }
        }
    }

    @Test("a Redis that freezes for a moment costs no event")
    func freeze() async throws {
        let settings = ["MOCK_TOKENS": "60", "MOCK_TOKEN_DELAY": "20ms"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let stream = try client.watch(try client.submit("a b c").streamUrl)
            var transcript = Transcript()
            try transcript.read(stream) { $0.names.count { $0 == "token" } >= 5 }
            deployment.redis.pause()
            #expect(try status(deployment.apis[0], "/healthz") == 200)
            // Readiness waits out the limit of a Redis command, so the freeze is longer than that.
            #expect(try status(deployment.apis[0], "/readyz") == 503)
            deployment.redis.resume()
            try transcript.read(stream)
            #expect(transcript.text == echo("a b c", tokens: 60))
            #expect(transcript.faults.isEmpty)
        }
    }

    @Test(
        "a Redis that refuses writes causes 503 and no ready replica, until it accepts them",
        arguments: Refusal.allCases
    )
    func refuses(_ refusal: Refusal) async throws {
        try await Deployment.running { deployment in
            let client = deployment.api
            _ = try client.follow(try client.submit("a b c").streamUrl)
            try await refusal.begin(deployment)
            #expect(try deployment.askRedis("SET", "probe", "1").hasPrefix(refusal.code))
            #expect(try client.post("d e f").status == 503)
            for replica in deployment.apis + deployment.workers {
                let readiness = try HTTPCall.send("GET", port: replica.opsPort, "/readyz")
                #expect(readiness.status == 503 && readiness.body.contains("redis is not writable"))
                #expect(try status(replica, "/healthz") == 200)
            }
            try await refusal.end(deployment)
            #expect(try await eventually(within: .seconds(10)) { deployment.apis[0].isReady })
            #expect(try client.follow(try client.submit("d e f").streamUrl).text == "d e f ")
        }
    }

    /// Why a Redis that answers refuses to write.
    enum Refusal: String, CaseIterable, CustomTestStringConvertible {
        case memoryFull = "maxmemory"
        case replicasGone = "min-replicas-to-write"
        case demoted = "replicaof"
        case diskFails = "save"

        var testDescription: String { rawValue }

        /// The code of its error.
        var code: String {
            switch self {
            case .memoryFull: "OOM"
            case .replicasGone: "NOREPLICAS"
            case .demoted: "READONLY"
            case .diskFails: "MISCONF"
            }
        }

        func begin(_ deployment: Deployment) async throws {
            switch self {
            case .memoryFull, .replicasGone: _ = try deployment.askRedis("CONFIG", "SET", rawValue, "1")
            // No master listens there, so it keeps its data.
            case .demoted: _ = try deployment.askRedis("REPLICAOF", "127.0.0.1", "1")
            case .diskFails:
                // The file of a snapshot cannot take the place of a directory.
                let made = try unsafe mkdir(snapshot(deployment), 0o700)
                #expect(made == 0)
                _ = try deployment.askRedis("CONFIG", "SET", rawValue, "3600 1000000")
                try await save(deployment, untilStatus: "err")
            }
        }

        func end(_ deployment: Deployment) async throws {
            switch self {
            case .memoryFull, .replicasGone: _ = try deployment.askRedis("CONFIG", "SET", rawValue, "0")
            case .demoted: _ = try deployment.askRedis("REPLICAOF", "NO", "ONE")
            case .diskFails:
                let removed = try unsafe rmdir(snapshot(deployment))
                #expect(removed == 0)
                try await save(deployment, untilStatus: "ok")
            }
        }

        private func snapshot(_ deployment: Deployment) throws -> String {
            let answer = try deployment.askRedis("CONFIG", "GET", "dir").split(separator: "\n")
            return "\(answer.last ?? "")/dump.rdb"
        }

        private func save(_ deployment: Deployment, untilStatus status: String) async throws {
            _ = try deployment.askRedis("BGSAVE")
            let isOver = try await eventually {
                try deployment.askRedis("INFO", "persistence").contains("rdb_last_bgsave_status:\(status)")
            }
            #expect(isOver)
        }
    }

    @Test("a Redis that is full in the middle of an answer delays it and costs nothing")
    func outOfMemoryMidStream() async throws {
        let settings = ["MOCK_TOKENS": "100", "MOCK_TOKEN_DELAY": "10ms"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            let stream = try client.watch(try client.submit("a b c").streamUrl)
            var transcript = Transcript()
            try transcript.read(stream) { $0.names.count { $0 == "token" } >= 5 }
            _ = try deployment.askRedis("CONFIG", "SET", "maxmemory", "1")
            #expect(try status(deployment.apis[0], "/readyz") == 503)
            let refused = try await eventually(within: .seconds(5)) {
                try deployment.workers[0].metric("lemma_redis_command_failures_total") > 2
            }
            #expect(refused)
            _ = try deployment.askRedis("CONFIG", "SET", "maxmemory", "0")
            try transcript.read(stream)
            #expect(transcript.text == echo("a b c", tokens: 100))
            #expect(transcript.faults.isEmpty)
            #expect(transcript.story == ["queued", "started", "token", "completed"])
        }
    }

    @Test("a queue that is full refuses with 503, and takes problems again once there is room")
    func full() async throws {
        let plan = Deployment.Plan(workers: 0, environment: ["QUEUE_MAX_DEPTH": "2"])
        try await Deployment.running(plan) { deployment in
            let client = deployment.api
            let waiting = try (0..<2).map { try client.submit("problem \($0)") }
            let refused = try client.post("problem 3")
            #expect(refused.status == 503)
            #expect(refused["retry-after"].flatMap { Int($0) } ?? 0 > 0)
            try deployment.addWorker()
            for one in waiting { #expect(try client.follow(one.streamUrl).terminal?.name == "completed") }
            #expect(try client.follow(try client.submit("problem 4").streamUrl).text == "problem 4 ")
        }
    }
}
