import EventLoop
import TestSupport
import Testing

@Suite("Limit of open files", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct OpenFilesTests {
    @Test("a replica at its limit of connections refuses further ones, is alive and ready, and keeps serving")
    func full() async throws {
        DescriptorLimit.raise()
        try await Deployment.running(Deployment.Plan(workers: 1, openFiles: "1024:1024")) { deployment in
            let api = deployment.apis[0]
            let places = Int(try api.metric("lemma_http_connections_max"))
            #expect(512..<1024 ~= places)
            let limit = try api.metric("process_max_fds")
            #expect(limit == 1024)
            let submitted = try deployment.api.submit("a b c")
            let crowd = try (0..<places).map { _ in try RawClient(port: api.httpPort) }
            let isFull = try await eventually { try api.metric("lemma_http_connections") == Double(places) }
            #expect(isFull)
            let beyond = try (0..<600).map { _ in try RawClient(port: api.httpPort) }
            let areRefused = try await eventually {
                try api.metric("lemma_http_limits_hit_total", "\"connections\"") >= 600
            }
            #expect(areRefused)
            for path in ["/healthz", "/readyz", "/metrics"] {
                let status = try HTTPCall.send("GET", port: api.opsPort, path).status
                #expect(status == 200)
            }
            let answer = try await eventually {
                let response = try? HTTPCall.send("GET", port: api.httpPort, "/api/conversations")
                return response?.status == 503 && response?["retry-after"] == "2"
            }
            #expect(answer, "the refused ones have gone, and the next one is told")
            let (pauses, open) = (try api.metric("lemma_accept_pauses_total"), try api.metric("process_open_fds"))
            #expect(pauses == 0 && open < 1024)
            for client in crowd + beyond { client.close() }
            let isServed = try await eventually {
                (try? deployment.api.follow(submitted.streamUrl).text) == echo("a b c", tokens: 3)
            }
            #expect(isServed)
        }
    }

    @Test("the soft limit is raised to the hard one, and logged")
    func raised() async throws {
        try await Deployment.running(Deployment.Plan(workers: 1, openFiles: "1024:4096")) { deployment in
            for replica in deployment.apis + deployment.workers {
                let limit = try replica.metric("process_max_fds")
                #expect(limit == 4096)
                #expect(replica.logText.contains(#""soft_before":1024,"soft":4096,"hard":4096"#))
            }
            let places = try deployment.apis[0].metric("lemma_http_connections_max")
            #expect(2048..<4096 ~= places)
        }
    }

    @Test("a limit that is too low for any use is an error with the remedy")
    func tooLow() throws {
        let folder = try TemporaryDirectory()
        let settings = [
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "REDIS_URL": "redis://127.0.0.1:1", "AI_PROVIDERS": "mock",
            "DATABASE_URL": "postgres://lemma@127.0.0.1:1/lemma", "JWT_SECRET": "a secret that only this test knows",
        ]
        let log = "\(folder.path)/log"
        let starting = try Replica.start("worker", environment: settings, logPath: log, openFiles: "100:100")
        #expect(starting.process.wait() == 1 << 8)
        #expect(starting.log.text.contains("limit of open files is 100, and at least 256 are needed: raise it"))
    }
}
