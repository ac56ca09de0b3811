import EventLoop
import Glibc
import HTTPServer
import Telemetry
import TestSupport

@testable import Tracing

/// A collector behind a real HTTP server, on the loop of the exporter, which answers by script.
final class Collector: HTTPHandler {
    enum Answer {
        case status(Int, HTTPFields = [:], body: String = "{}")
        /// None, ever.
        case silence
        /// When the test calls ``release()``.
        case later
    }

    struct Request {
        let path: String
        let fields: [String: String]
        let spans: [ExportedSpan]
        let time: ContinuousClock.Instant
    }

    /// The requests received, in order.
    private(set) var requests: [Request] = []
    /// For the next requests; the last one is for all that follow.
    private var answers: [Answer]
    private var waiting: [HTTPExchange] = []
    private(set) var openMost = 0
    private var open = 0

    init(_ answers: [Answer]) { self.answers = answers }

    /// Names of all spans that came, in order.
    var names: [String] { requests.flatMap { $0.spans.map(\.name) } }

    /// Accepts the waiting requests, and all that follow.
    func release() {
        answers = [.status(200)]
        for exchange in waiting { exchange.respond(Self.response(200, [:], "{}")) }
        open -= waiting.count
        waiting = []
    }

    /// Releases the unanswered requests, which retain the connection and so this collector.
    func forget() { waiting = [] }

    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        let fields = request.headers.all.map { ($0.name.lowercased(), $0.value) }
        requests.append(
            Request(
                path: request.path,
                fields: Dictionary(fields, uniquingKeysWith: { $0 + "|" + $1 }),
                spans: (try? ExportedSpans(request.body).spans) ?? [],
                time: .now,
            )
        )
        openMost = max(openMost, open + 1)
        switch answers.count > 1 ? answers.removeFirst() : answers[0] {
        case .status(let status, let fields, let body): exchange.respond(Self.response(status, fields, body))
        case .silence: waiting.append(exchange)
        case .later:
            open += 1
            waiting.append(exchange)
        }
    }

    private static func response(_ status: Int, _ fields: HTTPFields, _ body: String) -> HTTPResponse {
        HTTPResponse(status: status, headers: fields, body: Array(body.utf8))
    }
}

/// An exporter and what it works with.
final class ExportBench {
    let queue: SpanQueue
    let tracer: Tracer
    let metrics: SpanExportMetrics
    let exporter: SpanExporter
    private let loop: Loop
    private let folder: TemporaryDirectory
    private let log: Int32
    private(set) var made = 0

    init(to url: String, queueMax: Int = 4096, options: SpanExportOptions, on loop: Loop) throws {
        self.loop = loop
        queue = SpanQueue(spansMax: queueMax)
        tracer = Tracer(sampler: .alwaysOn, queue: queue)
        let registry = MetricsRegistry(namespace: "test")
        metrics = SpanExportMetrics(
            exported: registry.counter("test_exported_total", help: "x"),
            lost: registry.counters("test_lost_total", help: "x", by: "reason"),
            failures: registry.counter("test_failures_total", help: "x"),
        )
        folder = try TemporaryDirectory()
        log = unsafe open(folder.path + "/log", O_WRONLY | O_CREAT, 0o600)
        exporter = SpanExporter(
            queue,
            to: url,
            as: TraceResource(service: "s", version: "v", instance: "i", host: "h", processID: 1),
            on: loop,
            options: options,
            metrics: metrics,
            logger: Logger(output: LogOutput(descriptor: log, service: "s", version: "v")),
        )
    }

    deinit { close(log) }

    /// Ends so many spans, which are named by their numbers.
    func makeSpans(_ count: Int) {
        for _ in 0..<count {
            tracer.begin("\(made)", .internal).end()
            made += 1
        }
    }

    var lost: Int { SpanLoss.allCases.map { metrics.lost[$0].value }.reduce(0, +) }

    /// True if every span is exported or counted as lost, exactly once.
    var isAccounted: Bool { metrics.exported.value + lost + queue.count == made }

    /// The log's warnings.
    var warnings: [String] { textOfFile(folder.path + "/log").split(separator: "\n").map(String.init) }

    /// Waits until so many spans have been exported or lost.
    func settled(_ count: Int) async throws {
        try await eventually("\(count) spans are exported or lost", on: loop) { metrics.exported.value + lost >= count }
    }
}

extension SpanExportOptions {
    /// Quick ones, for collectors that answer or are away.
    static var quick: Self {
        var options = Self()
        options.period = .milliseconds(5)
        options.pauses = (.milliseconds(1), .milliseconds(4))
        options.quiet = .zero
        return options
    }
}

/// Runs `body` with an exporter that has begun, and a collector that answers as `body` sets.
func exporting(
    to answers: [Collector.Answer] = [.status(200)],
    queueMax: Int = 4096,
    _ options: SpanExportOptions = .quick,
    _ body: @escaping @Sendable (isolated Loop, ExportBench, Collector) async throws -> Void
) async throws {
    try await onLoop { loop in
        let collector = Collector(answers)
        // Safety: used on this loop's thread only.
        nonisolated(unsafe) let handler = collector
        var server = HTTPServerOptions()
        server.bodyBytesMax = 16 << 20
        let listener = try await HTTPListener.start(host: "127.0.0.1", port: 0, on: [loop], options: server) { _ in
            unsafe handler
        }
        let url = "http://127.0.0.1:\(listener.port)/v1/traces"
        let bench = try ExportBench(to: url, queueMax: queueMax, options: options, on: loop)
        bench.exporter.start()
        try await body(loop, bench, collector)
        try await listener.closeAll()
        collector.forget()
    }
}
