import API
import Application
import EventLoop
import HTTPServer
import Shared
import Telemetry
import TestSupport
import Testing

/// Reports a fixed state.
private struct FixedHealth: HealthReporter {
    var loopsTurn: Bool
    var report: ReadinessReport
    func readiness() async -> ReadinessReport { report }
}

private struct FixedTime: WallClock {
    func now() -> Timestamp { Timestamp(milliseconds: 1_795_264_496_789) }
}

private func silentControl() -> LogLevelControl {
    LogLevelControl(Logger(output: LogOutput(descriptor: -1, service: "", version: "")), configured: .info)
}

@Suite("The operations port", .tags(.integration))
struct OperationsTests {
    private func withOperations(
        loopsTurn: Bool = true,
        _ report: ReadinessReport = .init(
            reason: nil,
            redis: .up(milliseconds: 0.25),
            postgres: .up(milliseconds: 0.5),
            providers: [("mock", "closed")],
            backlog: nil,
        ),
        logLevel: LogLevelControl = silentControl(),
        _ body: @escaping @Sendable (@Sendable (String, String, [String]) throws -> RawResponse) async throws -> Void
    ) async throws {
        let group = LoopGroup(count: 1)
        defer { group.stop() }
        let registry = MetricsRegistry()
        let counter = registry.counter("lemma_tests_run_total", help: "Tests run")
        counter.increment()
        var options = HTTPServerOptions()
        options.renderError = { APIProblem.refusal(status: $0, detail: $1, request: $2, requestID: nil, origins: []) }
        let listener = try await HTTPListener.start(host: "127.0.0.1", port: 0, on: group.loops, options: options) {
            RequestPipeline(
                operationsOn: $0,
                registry: registry,
                health: FixedHealth(loopsTurn: loopsTurn, report: report),
                logLevel: logLevel,
                clock: FixedTime(),
            )
        }
        try await onThread {
            try await body { method, path, headers in
                let client = try RawClient(port: listener.port)
                let isBody = headers.last?.hasPrefix("{") == true
                let body = isBody ? headers.last ?? "" : ""
                let fields = isBody ? headers.dropLast() + ["Content-Length: \(body.utf8.count)"] : headers
                let lines = ["\(method) \(path) HTTP/1.1", "Host: localhost"] + fields
                client.send(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
                return try client.readResponse(hasBody: method != "HEAD")
            }
        }
        try await listener.closeAll()
    }

    @Test("health is about the loops alone")
    func health() async throws {
        try await withOperations { send in
            let response = try send("GET", "/healthz", [])
            #expect(response.status == 200 && response.body == "ok\n")
            #expect(try send("HEAD", "/healthz", []).status == 200)
        }
        try await withOperations(loopsTurn: false) { send in
            let response = try send("GET", "/healthz", [])
            #expect(response.status == 503)
        }
    }

    @Test("readiness reports the state of each dependency and the reason")
    func readiness() async throws {
        try await withOperations { send in
            for path in ["/readyz", "/startupz"] {
                let response = try send("GET", path, [])
                #expect(response.status == 200 && response["content-type"] == "application/json")
                let redis = #""redis":{"status":"up","latencyMs":0.25}"#
                let postgres = #""postgres":{"status":"up","latencyMs":0.5}"#
                let checks = #"{\#(redis),\#(postgres),"providers":{"mock":"closed"}}"#
                #expect(response.body == #"{"status":"ready","checks":\#(checks)}"#)
            }
        }
        let backlog = RecordBacklog(records: 3, age: .milliseconds(1500))
        let report = ReadinessReport(
            reason: "draining",
            redis: .down(reason: "no answer in time"),
            postgres: .down(reason: "the \"server\" is away"),
            providers: [],
            backlog: backlog,
        )
        try await withOperations(report) { send in
            let response = try send("GET", "/readyz", [])
            #expect(response.status == 503)
            let persister = #""persister":{"waiting":3,"oldestMs":1500}"#
            let redis = #""redis":{"status":"down","reason":"no answer in time"}"#
            let postgres = #""postgres":{"status":"down","reason":"the \"server\" is away"}"#
            let checks = #"{\#(redis),\#(postgres),\#(persister),"providers":{}}"#
            #expect(response.body == #"{"status":"not_ready","reason":"draining","checks":\#(checks)}"#)
        }
    }

    @Test("metrics come in the format that is asked for")
    func metrics() async throws {
        try await withOperations { send in
            let plain = try send("GET", "/metrics", [])
            #expect(plain.status == 200)
            #expect(plain["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
            #expect(plain.body.contains("\nlemma_tests_run_total 1\n"))
            let open = try send("GET", "/metrics", ["Accept: application/openmetrics-text; version=1.0.0"])
            #expect(open["content-type"]?.hasPrefix("application/openmetrics-text") == true)
            #expect(open.body.hasSuffix("# EOF\n"))
        }
    }

    @Test("the log's level is shown, changed for a time, and back by itself")
    func logLevel() async throws {
        let control = silentControl()
        try await withOperations(logLevel: control) { send in
            let json = "Content-Type: application/json"
            #expect(try send("GET", "/loglevel", []).body == #"{"level":"info","configured":"info"}"#)
            let changed = try send("PUT", "/loglevel", [json, #"{"level":"trace","for":"10m"}"#])
            #expect(changed.status == 200)
            let until = #""until":"2026-11-21T12:44:56.789Z""#
            #expect(changed.body == #"{"level":"trace","configured":"info",\#(until)}"#)
            #expect(control.setting.level == .trace)
            _ = try send("PUT", "/loglevel", [json, #"{"level":"error"}"#])
            let standard = #""until":"2026-11-21T12:49:56.789Z""#
            #expect(try send("GET", "/loglevel", []).body.contains(standard))
            let back = try send("PUT", "/loglevel", [json, #"{"level":"info"}"#])
            #expect(back.body == #"{"level":"info","configured":"info"}"#)
            _ = try send("PUT", "/loglevel", [json, #"{"level":"debug","for":"1s"}"#])
            #expect(control.setting.level == .debug)
            #expect(try await eventually(within: .seconds(20)) { control.setting.level == .info })
            #expect(try send("GET", "/loglevel", []).body == #"{"level":"info","configured":"info"}"#)
        }
    }

    @Test(
        "a level that is none is refused with what is allowed, and nothing changes",
        arguments: [
            (#"{"level":"loud"}"#, 422, "must be one of trace, debug, info, warning, error"),
            (#"{"for":"10m"}"#, 422, #""field":"level""#),
            (#"{"level":"debug","for":"0s"}"#, 422, "must be a duration from 1s to 24h, such as 10m"),
            (#"{"level":"debug","for":"25h"}"#, 422, #""field":"for""#),
            (#"{"level":"debug","for":""}"#, 422, #""field":"for""#),
            (#"{"level":5}"#, 422, "must be a string"),
            (#"{"level":"debug""#, 400, "malformed-request"),
        ],
    )
    func badLogLevel(body: String, status: Int, part: String) async throws {
        let control = silentControl()
        try await withOperations(logLevel: control) { send in
            let response = try send("PUT", "/loglevel", ["Content-Type: application/json", body])
            #expect(response.status == status && response["content-type"] == "application/problem+json")
            #expect(response.body.contains(part))
            #expect(control.setting.level == .info)
            #expect(try send("PUT", "/loglevel", [body]).status == 415)
            #expect(try send("DELETE", "/loglevel", [])["allow"] == "GET, PUT, HEAD")
        }
    }

    @Test("there is nothing else, and nothing to write")
    func errors() async throws {
        try await withOperations { send in
            let missing = try send("GET", "/x", [])
            #expect(missing.status == 404 && missing["content-type"] == "application/problem+json")
            let posted = try send("POST", "/metrics", ["Content-Length: 0"])
            #expect(posted.status == 405 && posted["allow"] == "GET, HEAD")
        }
    }
}
