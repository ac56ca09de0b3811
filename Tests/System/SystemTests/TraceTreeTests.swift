import Glibc
import TestSupport
import Testing

@Suite("What a trace shows", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct TraceTreeTests {
    /// Everything that must never be in a span.
    private enum Hidden {
        static let problem = "zeppelinproblem"
        static let providerKey = "sk-mangrovekey"
        static let idempotencyKey = "pelicankey"
        static let token = "eyJhbGciOiJIUzI1NiJ9.ottertokenss.xxxx"
        static let all = [
            problem, "quaggaanswer", providerKey, idempotencyKey, token, "gardener@example.org", "ticket=",
        ]
    }

    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let span = "00f067aa0ba902b7"
    private static let headers = [
        ("traceparent", "00-\(trace)-\(span)-01"), ("tracestate", "congo=t61rcWkgMzE"),
        ("Idempotency-Key", Hidden.idempotencyKey),
    ]

    private func plan(_ port: Int, _ changes: [String: String] = [:]) -> Deployment.Plan {
        let settings = [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:\(port)", "AI_PROVIDERS": "openai",
            "OPENAI_BASE_URL": "http://127.0.0.1:\(port)/v1", "OPENAI_API_KEY": Hidden.providerKey,
            "OPENAI_MODEL": "m",
            "AI_SEND_TRACEPARENT": "on",
        ]
        return Deployment.Plan(environment: settings.merging(changes) { $1 })
    }

    private func submit(_ client: Client, _ headers: [(String, String)] = headers) throws -> Client.Submitted {
        let response = try client.post(Hidden.problem, headers: headers)
        guard response.status == 202 else { throw Client.Unexpected(response: response) }
        return try client.decode(response)
    }

    /// Ends all replicas, which flushes what they recorded, and returns it.
    private func finish(_ deployment: Deployment, _ collector: TraceCollector) throws -> [TracedSpan] {
        for replica in deployment.apis + deployment.workers where replica.process.isRunning {
            replica.process.signal(SIGTERM)
            #expect(replica.process.waitForExit(within: .seconds(30)) == .code(0))
        }
        for payload in collector.payloads {
            for hidden in Hidden.all { #expect(!payload.contains(hidden), "\(hidden) was exported") }
        }
        return try collector.spans()
    }

    @Test("a request is one tree from the client's span over the queue to each call of the provider")
    func tree() async throws {
        try await TraceCollector.running([.fail]) { collector, port in
            try await Deployment.running(plan(port)) { deployment in
                let client = deployment.api
                let submitted = try submit(client)
                #expect(try client.follow(submitted.streamUrl).terminal?.name == "completed")
                #expect(try submit(client).correlationId == submitted.correlationId, "a replay")
                let secret = [("Authorization", "Bearer lm_\(Hidden.token)")]
                #expect(try client.post(Hidden.problem, headers: secret).status == 401)
                let spans = try finish(deployment, collector)

                let posts = spans.filter { $0.name == "POST /api/math/solve" }
                #expect(posts.count == 3 && posts.allSatisfy { $0.kind == 2 && $0.service == "lemma-api" })
                #expect(posts.map { $0.attributes["http.response.status_code"] } == ["202", "202", "401"])
                #expect(posts.map(\.parent) == [Self.span, Self.span, nil])
                #expect(posts[0].id.traceId == Self.trace && !posts[2].hasFailed)

                let sends = spans.filter { $0.kind == 4 }
                #expect(sends.count == 1, "a replay sends nothing")
                let send = try #require(sends.first)
                #expect(send.isChild(of: posts[0]) && send.attributes["messaging.system"] == "redis")
                let attempts = spans.filter { $0.kind == 5 }
                #expect(attempts.count == 1)
                let attempt = try #require(attempts.first)
                #expect(attempt.isChild(of: send) && attempt.service == "lemma-worker")
                #expect(attempt.attributes["lemma.correlation_id"] == submitted.correlationId)

                let calls = spans.filter { $0.kind == 3 }
                #expect(calls.map(\.name) == ["chat m", "chat m"])
                #expect(calls.allSatisfy { $0.isChild(of: attempt) })
                #expect(calls.map(\.hasFailed) == [true, false])
                #expect(calls.map { $0.attributes["error.type"] != nil } == [true, false])
                let sent = calls.map { "00-\($0.id.traceId)-\($0.id.spanId)-01" }
                #expect(collector.calls.map(\.traceparent) == sent)
                #expect(collector.calls.map(\.tracestate) == [nil, nil])
                try checkAnswer(try #require(calls.last), port)
            }
        }
    }

    @Test("a remote provider is sent nothing of a trace by default, and the trace is whole all the same")
    func unsent() async throws {
        try await TraceCollector.running { collector, port in
            var plan = plan(port)
            plan.environment["AI_SEND_TRACEPARENT"] = nil
            try await Deployment.running(plan) { deployment in
                let submitted = try submit(deployment.api)
                #expect(try deployment.api.follow(submitted.streamUrl).terminal?.name == "completed")
                let spans = try finish(deployment, collector)
                #expect(collector.calls.map(\.traceparent) == [nil])
                #expect(collector.calls.map(\.tracestate) == [nil])
                let call = try #require(spans.first { $0.kind == 3 })
                let attempt = try #require(spans.first { $0.kind == 5 })
                #expect(call.isChild(of: attempt) && call.id.traceId == Self.trace)
            }
        }
    }

    private func checkAnswer(_ call: TracedSpan, _ port: Int) throws {
        let expected = [
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m",
            "gen_ai.response.model": "m-2026", "gen_ai.usage.input_tokens": "11", "gen_ai.usage.output_tokens": "7",
            "server.address": "127.0.0.1", "server.port": "\(port)",
        ]
        for (key, value) in expected { #expect(call.attributes[key] == value, "\(key)") }
    }

    @Test("the attempt after a killed worker and a resumed stream are traces of their own that link to the submission")
    func links() async throws {
        try await TraceCollector.running([.hang]) { collector, port in
            try await Deployment.running(plan(port, ["JOB_LEASE": "1s"])) { deployment in
                let client = deployment.api
                let submitted = try submit(client)
                let stream = try client.watch(submitted.streamUrl)
                var transcript = Transcript()
                try transcript.read(stream) { $0.names.contains("token") }
                deployment.workers[0].kill()
                try deployment.addWorker()
                stream.close()
                try transcript.read(try client.watch(submitted.streamUrl, after: transcript.lastID))
                #expect(transcript.story == ["queued", "started", "token", "restarted", "token", "completed"])
                let spans = try finish(deployment, collector)

                let send = try #require(spans.first { $0.kind == 4 })
                #expect(send.id.traceId == Self.trace)
                // What the killed worker recorded is lost with it.
                let attempts = spans.filter { $0.kind == 5 }
                #expect(attempts.count == 1)
                let second = try #require(attempts.first)
                #expect(second.attributes["lemma.attempt"] == "2" && second.parent == nil)
                #expect(second.links.first == send.id && second.id.traceId != Self.trace)
                // The killed worker's attempt, whose span was not exported.
                #expect(second.links.count == 2 && second.links.last?.traceId == Self.trace)
                #expect(second.links.last?.spanId != send.id.spanId)
                let call = try #require(spans.first { $0.kind == 3 })
                #expect(call.isChild(of: second))
                let told = collector.calls.map { $0.traceparent?.split(separator: "-")[1] }
                #expect(told.map { $0.map(String.init) } == [Self.trace, second.id.traceId])

                let streams = spans.filter { $0.name == "GET /api/math/stream/{id}" }
                #expect(streams.map { $0.attributes["lemma.stream.resumed"] } == ["false", "true"])
                #expect(streams.allSatisfy { $0.links == [send.id] && $0.parent == nil })
            }
        }
    }

    @Test("an attempt after a failed one links to that, whose log line and measurements name its trace")
    func retried() async throws {
        try await TraceCollector.running([.fail, .fail]) { collector, port in
            try await Deployment.running(plan(port, ["AI_MAX_RETRIES": "0"])) { deployment in
                let client = deployment.api
                let submitted = try submit(client)
                #expect(try client.follow(submitted.streamUrl).terminal?.name == "completed")
                let worker = deployment.workers[0]
                let accept = [("Accept", "application/openmetrics-text; version=1.0.0")]
                let metrics = try HTTPCall.send("GET", port: worker.opsPort, "/metrics", headers: accept).body
                let spans = try finish(deployment, collector)
                let send = try #require(spans.first { $0.kind == 4 })
                let attempts = spans.filter { $0.kind == 5 }
                    .sorted { $0.attributes["lemma.attempt"] ?? "" < $1.attributes["lemma.attempt"] ?? "" }
                try #require(attempts.count == 3)
                #expect(attempts[0].isChild(of: send) && attempts[0].links == [])
                #expect(attempts[1].links == [send.id, attempts[0].id])
                #expect(attempts[2].links == [send.id, attempts[1].id])
                let postponed = worker.logText.split(separator: "\n").filter { $0.contains("retry scheduled") }
                #expect(postponed.count == 2)
                for (line, attempt) in zip(postponed, attempts) {
                    #expect(line.contains(#""trace_id":"\#(attempt.id.traceId)""#), "\(line)")
                    #expect(line.contains(#""span_id":"\#(attempt.id.spanId)""#), "\(line)")
                }
                let names = [
                    "lemma_queue_wait_seconds", "lemma_attempt_first_token_seconds", "lemma_attempt_duration_seconds",
                    "lemma_request_duration_seconds",
                ]
                let traces = Set(attempts.map(\.id.traceId))
                for name in names {
                    let lines = metrics.split(separator: "\n").filter {
                        $0.hasPrefix("\(name)_bucket") && $0.contains("# {")
                    }
                    #expect(
                        lines.contains { line in traces.contains { line.contains(#"trace_id="\#($0)""#) } },
                        "\(name)"
                    )
                }
            }
        }
    }

    @Test("with tracing off a client's trace still reaches the provider and the log; a malformed one is none")
    func passedThrough() async throws {
        try await TraceCollector.running { collector, port in
            var plan = plan(port)
            plan.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = nil
            plan.environment["LOG_LEVEL"] = "debug"
            try await Deployment.running(plan) { deployment in
                let client = deployment.api
                let malformed = [
                    ("traceparent", "00-\(Self.trace.uppercased())-\(Self.span)-01"), ("tracestate", "a=1"),
                ]
                for headers in [Self.headers, malformed] {
                    let submitted = try submit(client, headers)
                    #expect(try client.follow(submitted.streamUrl).terminal?.name == "completed")
                }
                #expect(collector.calls.map(\.traceparent) == [Self.headers[0].1, nil])
                #expect(collector.calls.map(\.tracestate) == [nil, nil])
                #expect(try finish(deployment, collector).isEmpty)
                for replica in deployment.apis + deployment.workers {
                    #expect(replica.logText.contains(#""trace_id":"\#(Self.trace)""#))
                }
            }
        }
    }
}
