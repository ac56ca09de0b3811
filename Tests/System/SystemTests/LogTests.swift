import EventLoop
import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite("What is logged", .tags(.system), .timeLimit(.minutes(2)))
struct LogTests {
    /// Everything that must never be in a line: each is found nowhere else.
    private enum Hidden {
        static let problem = "zeppelinproblem"
        static let answer = "quaggaanswer"
        static let providerKey = "sk-mangrovekey"
        static let redisPassword = "lighthousepassword"
        static let databasePassword = "marzipanpassword"
        static let jwtSecret = "thirty-two bytes of glockenspielsecret"
        static let token = "eyJhbGciOiJIUzI1NiJ9.ottertokenss.xxxx"
        static let ticket = "walrusticket"
        static let idempotencyKey = "pelicankey"
        static let mail = "gardener@example.org"

        static let all = [
            problem, answer, providerKey, redisPassword, databasePassword, jwtSecret, token, ticket, idempotencyKey,
            mail,
        ]
    }

    private struct Line: Decodable {
        let time: String
        let level: String
        let message: String
        let service: String
        let version: String
        let correlationID: String?
        let requestID: String?
        let attempt: Int?
        let provider: String?
        let outcome: String?
        let route: String?
        let method: String?
        let status: LogStatus?
        let clientAddress: String?
        let clientCorrelationID: String?

        enum CodingKeys: String, CodingKey {
            case time, level, message, service, version, attempt, provider, outcome, route, method, status
            case correlationID = "correlation_id"
            case requestID = "request_id"
            case clientAddress = "client_address"
            case clientCorrelationID = "client_correlation_id"
        }
    }

    /// A response's status is a number, a request's a string.
    private enum LogStatus: Decodable, Equatable {
        case code(Int)
        case word(String)

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            self =
                if let code = try? value.decode(Int.self) { .code(code) } else { .word(try value.decode(String.self)) }
        }
    }

    /// Reads all lines of a replica; each must be an object with the common members.
    private func lines(_ replica: Replica) throws -> [Line] {
        let text = replica.logText
        for hidden in Hidden.all { #expect(!text.contains(hidden), "\(hidden) was logged") }
        return try text.split(separator: "\n").map { text in
            let line = try JSONDecoder().decode(Line.self, from: Data(text.utf8))
            #expect(line.time.contains(#/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/#), "\(text)")
            #expect(["trace", "debug", "info", "warning", "error"].contains(line.level), "\(text)")
            #expect(line.service.hasPrefix("lemma-") && !line.version.isEmpty, "\(text)")
            return line
        }
    }

    /// Runs `body` beside two providers: one that answers, and one whose failures repeat the problem and the key.
    private func withProviders(
        _ body: @escaping @Sendable (_ well: Int, _ ill: Int) async throws -> Void
    ) async throws {
        let group = LoopGroup(count: 1)
        defer { group.stop() }
        let ports = try await group.loops[0].run { loop in
            let answer = #"{"choices":[{"delta":{"content":"\#(Hidden.answer)"},"finish_reason":"stop"}]}"#
            let stream = "data: \(answer)\n\ndata: [DONE]\n\n"
            let error =
                #"{"error":{"code":500,"message":"\#(Hidden.problem) \#(Hidden.providerKey)","status":"INTERNAL"}}"#
            func response(_ status: String, _ type: String, _ body: String) -> String {
                let length = "Content-Length: \(body.utf8.count)\r\nConnection: close"
                return "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\n\(length)\r\n\r\n\(body)"
            }
            let well = try await RawServer(on: loop) { $0.send(response("200 OK", "text/event-stream", stream)) }
            let ill = try await RawServer(on: loop) { $0.send(response("500 Broken", "application/json", error)) }
            return (well.port, ill.port)
        }
        try await body(ports.0, ports.1)
    }

    private func plan(_ well: Int, _ ill: Int) -> Deployment.Plan {
        var plan = Deployment.Plan()
        plan.redis.password = Hidden.redisPassword
        plan.databasePassword = Hidden.databasePassword
        plan.mockScript = "reject"
        plan.environment = [
            "LOG_LEVEL": "trace", "JWT_SECRET": Hidden.jwtSecret, "AI_PROVIDERS": "openai,gemini,mock",
            "OPENAI_BASE_URL": "http://127.0.0.1:\(well)/v1", "OPENAI_API_KEY": Hidden.providerKey,
            "OPENAI_MODEL": "m", "GEMINI_BASE_URL": "http://127.0.0.1:\(ill)/v1", "GEMINI_MODEL": "m",
            "GEMINI_API_KEY": Hidden.providerKey, "AI_MAX_RETRIES": "0", "JOB_MAX_ATTEMPTS": "2",
            "TRUSTED_PROXIES": "127.0.0.0/8",
        ]
        return plan
    }

    /// Sends everything that the API refuses, with something to hide in each.
    private func misbehave(_ client: Client, _ id: String) throws {
        let calls: [(String, String, [(String, String)], String)] = [
            ("POST", "/api/math/solve", [], #"{"problem":"\#(Hidden.problem)""#),
            ("POST", "/api/math/solve", [], #"{"problem":["\#(Hidden.problem)"]}"#),
            ("POST", "/api/math/solve", [], #"{"problem":"1","provider":"\#(Hidden.mail)"}"#),
            ("POST", "/api/math/solve", [("Authorization", "Bearer lm_\(Hidden.token)")], #"{"problem":"1"}"#),
            ("GET", "/api/math/stream/\(id)?ticket=\(Hidden.ticket)", [], ""),
            ("GET", "/api/math/stream/\(id)?lastEventId=\(Hidden.mail)", [], ""),
            ("GET", "/api/math/requests/\(Hidden.mail)", [], ""),
            ("GET", "/\(Hidden.mail)?\(Hidden.token)", [], ""),
            ("GET", "/", [("X-Request-ID", "\(Hidden.mail) and more")], ""),
            ("PUT", "/api/math/requests/\(id)", [], ""),
        ]
        for (method, path, headers, body) in calls {
            let response = try HTTPCall.send(method, port: client.port, path, headers: headers, body: body)
            #expect((400..<500).contains(response.status), "\(path): \(response)")
        }
        for bytes in [
            "\(Hidden.problem)\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\(Hidden.token): \u{1B}[2J\u{1}\r\n\r\n",
        ] {
            let connection = try RawClient(port: client.port)
            connection.send(bytes)
            #expect(try connection.readResponse().status == 400)
        }
    }

    @Test("lines that a full disk does not take are counted in the metrics")
    func lostLines() async throws {
        try await onOwnThreads {
            let folder = try TemporaryDirectory()
            let port = try LoopbackSocket.freePort()
            let settings = [
                "REDIS_URL": "redis://127.0.0.1:1", "DATABASE_URL": "postgres://127.0.0.1:1/none",
                "AI_PROVIDERS": "mock", "OPS_HOST": "127.0.0.1", "OPS_PORT": "\(port)", "EVENT_LOOPS": "1",
                "LOG_FORMAT": "json",
            ]
            // A worker, which needs no JWT_SECRET either.
            let process = try ChildProcess.start(
                ["/usr/bin/env", "-C", folder.path, try Replica.program, "worker"],
                outputPath: "/dev/full",
                environment: settings,
            )
            defer {
                process.signal(SIGKILL)
                _ = process.waitForExit(within: .seconds(10))
            }
            let isCounted = try await eventually(within: .seconds(20)) {
                let metrics = (try? HTTPCall.send("GET", port: port, "/metrics").body) ?? ""
                return metrics.firstMatch(of: /(?m)^lemma_log_lines_lost_total [1-9]/) != nil
            }
            #expect(isCounted && process.isRunning)
        }
    }

    @Test("every line is complete, names its request and hides secrets, with and without failures")
    func lines() async throws {
        try await withProviders { well, ill in
            try await Deployment.running(plan(well, ill)) { deployment in
                let client = deployment.api
                let headers = [
                    ("X-Correlation-ID", "their-own"), ("X-Forwarded-For", "198.51.100.7"), ("X-Request-ID", "r-1"),
                    ("Idempotency-Key", Hidden.idempotencyKey),
                ]
                func solve(_ provider: String) throws -> (id: String, end: String?) {
                    let body = #"{"problem":"\#(Hidden.problem)","provider":"\#(provider)"}"#
                    let fields = headers.dropLast() + [("Idempotency-Key", "\(Hidden.idempotencyKey)-\(provider)")]
                    let response = try HTTPCall.send(
                        "POST",
                        port: client.port,
                        "/api/math/solve",
                        headers: Array(fields),
                        body: body,
                    )
                    #expect(response.status == 202 && response["x-request-id"] == "r-1")
                    let submitted: Client.Submitted = try client.decode(response)
                    #expect(response["x-correlation-id"] == submitted.correlationId)
                    return (submitted.correlationId, try client.follow(submitted.streamUrl).terminal?.name)
                }
                let answered = try solve("openai")
                let failing = try solve("gemini")
                let refused = try solve("mock")
                #expect([answered.end, failing.end, refused.end] == ["completed", "failed", "failed"])
                try misbehave(client, answered.id)
                _ = try deployment.askRedis("CLIENT", "KILL", "TYPE", "normal")
                let worker = deployment.workers[0]
                _ = try await eventually(within: .seconds(30)) { worker.logText.contains("redis is back") }
                for replica in deployment.apis + deployment.workers {
                    replica.process.signal(SIGTERM)
                    #expect(replica.process.waitForExit(within: .seconds(30)) == .code(0))
                }

                let ends = [(answered.id, "completed", 1), (failing.id, "failed", 3), (refused.id, "failed", 1)]
                try checkAPI(deployment.apis[0], ends.map(\.0))
                try checkWorker(worker, ends)
            }
        }
    }

    private func checkAPI(_ replica: Replica, _ ids: [String]) throws {
        let told = try lines(replica)
        let solved = try #require(told.first { $0.correlationID == ids[0] })
        #expect(solved.message == "request answered" && solved.route == "/api/math/solve")
        #expect(solved.method == "POST" && solved.status == .code(202) && solved.requestID == "r-1")
        #expect(solved.clientAddress == "198.51.100.7" && solved.clientCorrelationID == "their-own")
        #expect(told.filter { $0.message == "request answered" && $0.level == "info" }.count == 10)
        #expect(told.filter { $0.message == "request refused" }.count == 2)
        #expect(told.allSatisfy { !$0.message.hasPrefix("request ") || $0.requestID != nil })
        for id in ids {
            #expect(told.contains { $0.correlationID == id && $0.route == "/api/math/stream/{id}" })
        }
    }

    private func checkWorker(_ replica: Replica, _ ends: [(id: String, status: String, attempt: Int)]) throws {
        let told = try lines(replica)
        for (id, status, attempt) in ends {
            let end = told.first { $0.correlationID == id && $0.message == "request finished" }
            #expect(end?.status == .word(status) && end?.attempt == attempt)
        }
        let calls = told.filter { $0.message.hasPrefix("provider call") }
        #expect(calls.allSatisfy { $0.outcome != nil })
        let asked = calls.map { "\($0.provider ?? "") \($0.attempt ?? 0) \($0.message)" }
        let (ended, failed) = ("provider call ended", "provider call failed")
        #expect(asked == ["openai 1 \(ended)", "gemini 1 \(failed)", "gemini 2 \(failed)", "mock 1 \(failed)"])
        #expect(calls.compactMap(\.correlationID) == [ends[0].id, ends[1].id, ends[1].id, ends[2].id])
    }

    @Test("a signal and the operations port change the level of a running process")
    func level() async throws {
        try await Deployment.running(Deployment.Plan(workers: 0)) { deployment in
            let replica = deployment.apis[0]
            func debugLines() throws -> Int { try lines(replica).filter { $0.level == "debug" }.count }
            func ask() throws -> Int { try HTTPCall.send("GET", port: replica.httpPort, "/").status }
            #expect(try ask() == 200)
            #expect(try debugLines() == 0)
            for _ in 0..<2 {
                let before = try lines(replica).filter { $0.message == "log level changed" }.count
                replica.process.signal(SIGUSR1)
                _ = try await eventually(within: .seconds(30)) {
                    try lines(replica).filter { $0.message == "log level changed" }.count > before
                }
                _ = try ask()
            }
            #expect(try debugLines() == 1, "to debug and back")
            let body = #"{"level":"debug","for":"10m"}"#
            let changed = try HTTPCall.send("PUT", port: replica.opsPort, "/loglevel", body: body)
            #expect(changed.status == 200)
            _ = try ask()
            #expect(try debugLines() == 2)
            #expect(try HTTPCall.send("GET", port: replica.opsPort, "/loglevel").body.contains(#""level":"debug""#))
        }
    }
}
