import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite("Limits of the running program", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct LimitTests {
    @Test("two replicas and four partitions share the rate of an address; a repetition is never refused")
    func sharedRate() async throws {
        let settings = ["RATE_LIMIT_SOLVE": "4/h", "JOB_PARTITIONS": "4"]
        try await Deployment.running(Deployment.Plan(apis: 2, environment: settings)) { deployment in
            let clients = deployment.apis.map { Client(port: $0.httpPort) }
            let key = [("Idempotency-Key", "k")]
            let first = try clients[0].post("1", headers: key)
            #expect(first.status == 202 && first["ratelimit"] == "\"address\";r=3;t=900")
            for turn in 1..<4 { #expect(try clients[turn % 2].post("1").status == 202) }
            for client in clients {
                let refused = try client.post("1")
                #expect(refused.status == 429 && refused.body.contains("/problems/rate-limited"))
                let seconds = try #require(refused["retry-after"].flatMap { Int($0) })
                #expect((800...900).contains(seconds))
                let again = try client.post("1", headers: key)
                #expect(again.status == 202 && again["x-correlation-id"] == first["x-correlation-id"])
            }
            let refusals = try deployment.apis.map {
                try $0.metric("lemma_requests_refused_total", "\"address_rate\"")
            }
            #expect(refusals == [1, 1])
        }
    }

    @Test("a budget is settled by the worker that archives an answer, and refunded when a request is aborted")
    func budget() async throws {
        // Each request reserves all that is left, and uses little of it.
        let settings = ["USER_DAILY_TOKENS": "2000", "MOCK_TOKENS": "50", "MOCK_TOKEN_DELAY": "20ms"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let client = deployment.api
            for round in 0..<3 {
                let submitted = try client.submit("a b c")
                let refused = try client.post("a b c")
                #expect(refused.status == 429 && refused.body.contains("/problems/budget-exhausted"))
                if round == 1 {
                    let path = "/api/math/requests/\(submitted.correlationId)"
                    let status = try HTTPCall.send("DELETE", port: client.port, path).status
                    #expect(status == 200 || status == 202)
                }
                _ = try client.follow(submitted.streamUrl)
                let isSettled = try await eventually {
                    let sum = try tokenSum(deployment)
                    return sum > 0 && sum < 300
                }
                #expect(isSettled)
            }
        }
    }

    private func tokenSum(_ deployment: Deployment) throws -> Int {
        let script = "local keys = redis.call('KEYS','lemma:*:tokens:*') return redis.call('HGET',keys[1],'sum')"
        let reply = LoopbackSocket.ask(port: deployment.redis.port, "EVAL \"\(script)\" 0\r\n") ?? ""
        return reply.split(whereSeparator: \.isNewline).dropFirst().first.flatMap { Int($0) } ?? -1
    }

    @Test("one connection more than an address may have is refused, and there is room again afterwards")
    func connections() async throws {
        let settings = ["ADDRESS_MAX_CONNECTIONS": "20"]
        try await Deployment.running(Deployment.Plan(environment: settings)) { deployment in
            let api = deployment.apis[0]
            let crowd = try (0..<20).map { _ in try RawClient(port: api.httpPort) }
            let areOpen = try await eventually { try api.metric("lemma_http_connections") == 20 }
            #expect(areOpen)
            let refused = try HTTPCall.send("GET", port: api.httpPort, "/")
            #expect(refused.status == 503 && refused.body.contains("Your address has as many connections"))
            let counted = try api.metric("lemma_http_limits_hit_total", "\"address_connections\"")
            #expect(counted == 1)
            for client in crowd { client.close() }
            let isServed = try await eventually { try HTTPCall.send("GET", port: api.httpPort, "/").status == 200 }
            #expect(isServed)
        }
    }

    @Test("SIGHUP replaces the certificate of new connections; responses over TLS demand TLS; bad files change nothing")
    func certificate() async throws {
        let folder = try TemporaryDirectory()
        let (certificate, key) = ("\(folder.path)/tls.pem", "\(folder.path)/tls.key")
        let (first, second) = (try TestCertificate(), try TestCertificate())
        @Sendable func install(_ source: TestCertificate, key keySource: TestCertificate) throws {
            try ChildProcess.run(["cp", source.certificateFile, certificate])
            try ChildProcess.run(["cp", keySource.keyFile, key])
        }
        try install(first, key: first)
        let settings = ["HTTP_TLS_CERT": certificate, "HTTP_TLS_KEY": key]
        try await Deployment.running(Deployment.Plan(workers: 1, environment: settings)) { deployment in
            let api = deployment.apis[0]
            func isServed(_ trusted: TestCertificate) throws -> Bool {
                let text = try page(port: api.httpPort, trusting: trusted, in: folder)
                guard text.contains("HTTP/1.1 200 OK") else { return false }
                #expect(text.contains("Strict-Transport-Security: max-age=31536000"))
                return true
            }
            func reload(_ result: String, _ count: Double) async throws {
                api.process.signal(SIGHUP)
                let isCounted = try await eventually {
                    try api.metric("lemma_http_certificate_reloads_total", "\"\(result)\"") == count
                }
                #expect(isCounted, "\(result)")
            }
            #expect(try isServed(first))
            try install(second, key: first)
            try await reload("failed", 1)
            #expect(api.logText.contains("certificate not read again, the one from before stays"))
            #expect(try isServed(first))
            try install(second, key: second)
            try await reload("loaded", 1)
            #expect(try isServed(second))
            #expect(try !isServed(first))
            // A worker has nothing to read again, and goes on.
            deployment.workers[0].process.signal(SIGHUP)
            #expect(deployment.workers[0].isReady && deployment.workers[0].process.isRunning)
        }
    }

    /// What OpenSSL's own client gets for `GET /`; without a response where it does not trust the server.
    private func page(port: Int, trusting trusted: TestCertificate, in folder: TemporaryDirectory) throws -> String {
        let output = "\(folder.path)/page-\(UUID().uuidString)"
        let request = "GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n"
        let command =
            "printf '\(request)' | openssl s_client -quiet -connect 127.0.0.1:\(port) -verify_return_error "
            + "-CAfile '\(trusted.authorityFile)'"
        _ = try ChildProcess.start(["sh", "-c", command], outputPath: output).wait()
        return textOfFile(output)
    }
}
