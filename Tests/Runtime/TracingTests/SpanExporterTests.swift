import EventLoop
import HTTPServer
import Telemetry
import TestSupport
import Testing

@testable import Tracing

@Suite("The exporter of spans", .tags(.integration))
struct SpanExporterTests {
    @Test("spans arrive once, in their order, by POST with the fields that were asked for")
    func normal() async throws {
        var options = SpanExportOptions.quick
        options.headers = [("api-key", "k")]
        try await exporting(options) { loop, bench, collector in
            bench.makeSpans(3)
            try await bench.settled(3)
            bench.makeSpans(2)
            try await bench.settled(5)
            #expect(collector.names == (0..<5).map { "\($0)" })
            #expect(bench.metrics.exported.value == 5 && bench.metrics.failures.value == 0 && bench.isAccounted)
            let request = try #require(collector.requests.first)
            #expect(request.path == "/v1/traces" && request.fields["content-type"] == "application/json")
            #expect(request.fields["api-key"] == "k")
        }
    }

    @Test("a batch has at most the allowed size, and one is in flight at a time")
    func batches() async throws {
        var options = SpanExportOptions.quick
        options.batchMax = 100
        try await exporting(to: [.later], options) { loop, bench, collector in
            bench.makeSpans(250)
            try await eventually("the first batch is there", on: loop) { collector.requests.count == 1 }
            bench.makeSpans(50)
            // A later timer of the exporter's loop: its own has fired before this one.
            try await loop.sleep(for: SpanExportOptions.quick.period * 2)
            try await turn(loop)
            #expect(collector.requests.count == 1 && collector.openMost == 1)
            collector.release()
            try await bench.settled(300)
            #expect(collector.requests.map(\.spans.count) == [100, 100, 100])
            #expect(collector.names == (0..<300).map { "\($0)" } && bench.isAccounted)
        }
    }

    @Test(
        "a collector that is overloaded or away for a moment gets the same batch again",
        arguments: [429, 502, 503, 504]
    )
    func again(status: Int) async throws {
        try await exporting(to: [.status(status), .status(status), .status(200)]) { loop, bench, collector in
            bench.makeSpans(2)
            try await bench.settled(2)
            #expect(collector.names == ["0", "1", "0", "1", "0", "1"])
            #expect(bench.metrics.exported.value == 2 && bench.metrics.failures.value == 2 && bench.lost == 0)
        }
    }

    @Test("the collector gets nothing during the pause that it asks for")
    func retryAfter() async throws {
        try await exporting(to: [.status(429, ["Retry-After": "1"]), .status(200)]) { loop, bench, collector in
            bench.makeSpans(1)
            try await bench.settled(1)
            let times = collector.requests.map(\.time)
            #expect(times.count == 2 && times[1] - times[0] >= .seconds(1))
        }
    }

    @Test(
        "what the collector refuses is lost at once, and the next batch is sent",
        arguments: [302, 400, 401, 404, 413, 500]
    )
    func refused(status: Int) async throws {
        try await exporting(to: [.status(status), .status(200)]) { loop, bench, collector in
            bench.makeSpans(2)
            try await bench.settled(2)
            #expect(bench.metrics.lost[.rejected].value == 2 && bench.metrics.failures.value == 1)
            bench.makeSpans(1)
            try await bench.settled(3)
            #expect(bench.metrics.exported.value == 1 && collector.names == ["0", "1", "2"])
        }
    }

    @Test("the spans of a partly accepted batch are counted apart")
    func partly() async throws {
        let some = Collector.Answer.status(200, body: #"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"x"}}"#)
        let tooMany = Collector.Answer.status(200, body: #"{"partialSuccess":{"rejectedSpans":"99"}}"#)
        let garbage = Collector.Answer.status(200, body: "<html>\u{0}")
        try await exporting(to: [some, tooMany, garbage]) { loop, bench, collector in
            for count in [3, 6, 9] {
                bench.makeSpans(3)
                try await bench.settled(count)
            }
            #expect(bench.metrics.lost[.rejected].value == 4 && bench.metrics.exported.value == 5)
            #expect(bench.metrics.failures.value == 0 && bench.isAccounted)
        }
    }

    @Test(
        "a collector that answers with something else than HTTP, or endlessly, has the spans: they are not sent again"
    )
    func garbage() async throws {
        let endless = "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + String(repeating: "x", count: 70_000)
        for answer in ["SSH-2.0-OpenSSH\r\n\r\n", endless] {
            try await onLoop { loop in
                let server = try await RawServer(on: loop) { $0.send(answer) }
                let bench = try ExportBench(to: server.url, options: .quick, on: loop)
                bench.exporter.start()
                bench.makeSpans(2)
                try await bench.settled(2)
                #expect(bench.metrics.lost[.rejected].value == 2 && server.connections.count == 1)
                await bench.exporter.finish()
            }
        }
    }

    @Test("a collector that is away is tried so many times; the batch is lost then, and the next one tried")
    func away() async throws {
        let port = try LoopbackSocket.freePort()
        try await onLoop { loop in
            let bench = try ExportBench(to: "http://127.0.0.1:\(port)/", options: .quick, on: loop)
            bench.exporter.start()
            for round in 1...2 {
                bench.makeSpans(3)
                try await bench.settled(3 * round)
                #expect(bench.metrics.failures.value == 6 * round)
            }
            #expect(bench.metrics.lost[.unreachable].value == 6 && bench.isAccounted)
            await bench.exporter.finish()
        }
    }

    @Test(
        "a request to a collector that hangs ends at the limit; meanwhile the queue fills up and nothing waits for it"
    )
    func hanging() async throws {
        var options = SpanExportOptions.quick
        options.requestLimit = .milliseconds(100)
        options.triesMax = 2
        options.batchMax = 10
        try await exporting(to: [.silence], queueMax: 20, options) { loop, bench, collector in
            bench.makeSpans(10)
            try await eventually("the first batch is under way", on: loop) { collector.requests.count == 1 }
            bench.makeSpans(25)
            #expect(bench.queue.count == 20 && bench.queue.dropped == 5)
            try await bench.settled(35)
            #expect(bench.metrics.lost[.queueFull].value == 5 && bench.metrics.lost[.unreachable].value == 30)
            #expect(collector.requests.count == 6 && bench.isAccounted)
        }
    }

    @Test("whatever the collector does, every span is exported or counted as lost, exactly once")
    func accounts() async throws {
        var random = SeededRandom(seed: 0x0ACC)
        let answers: [Collector.Answer] = (0..<120).map { _ in
            switch Int.random(in: 0..<6, using: &random) {
            case 0: .status(503)
            case 1: .status(400)
            case 2: .status(200, body: #"{"partialSuccess":{"rejectedSpans":"2"}}"#)
            case 3: .status(429)
            case _: .status(200)
            }
        }
        var options = SpanExportOptions.quick
        options.period = .milliseconds(1)
        options.batchMax = 7
        options.triesMax = 2
        try await exporting(to: answers, queueMax: 50, options) { loop, bench, collector in
            for _ in 0..<60 {
                bench.makeSpans(20)
                // The pace of the spans.
                try await loop.sleep(for: .milliseconds(1))
            }
            try await bench.settled(bench.made)
            #expect(bench.isAccounted && bench.queue.count == 0)
            #expect(bench.metrics.exported.value > 0 && bench.metrics.lost[.rejected].value > 0)
        }
    }

    @Test("warnings come seldom, and say what is wrong and how many spans were lost")
    func warnings() async throws {
        var options = SpanExportOptions.quick
        options.quiet = .seconds(3600)
        try await exporting(to: [.status(400)], options) { loop, bench, collector in
            for count in 1...5 {
                bench.makeSpans(1)
                try await bench.settled(count)
            }
            #expect(collector.requests.count == 5 && bench.warnings.count == 1)
            let warning = try #require(bench.warnings.first)
            #expect(warning.contains(#""error":"the collector answered 400","spans_lost":1"#))
        }
    }
}

@Suite("The end of the exporter", .tags(.integration))
struct SpanExporterEndTests {
    /// The period is longer than any test: what is sent is sent by the end.
    private static var slow: SpanExportOptions {
        var options = SpanExportOptions.quick
        options.period = .seconds(3600)
        options.pauses = (.seconds(3600), .seconds(3600))
        return options
    }

    @Test("what waits is sent before the end, in several batches")
    func flush() async throws {
        var options = Self.slow
        options.batchMax = 10
        try await exporting(options) { loop, bench, collector in
            bench.makeSpans(25)
            await bench.exporter.finish()
            #expect(collector.names == (0..<25).map { "\($0)" } && bench.metrics.exported.value == 25)
        }
    }

    @Test("a batch in flight is waited for and not sent twice")
    func underWay() async throws {
        var options = SpanExportOptions.quick
        options.flushLimit = .seconds(60)
        try await exporting(to: [.later], options) { loop, bench, collector in
            bench.makeSpans(2)
            try await eventually("the batch is under way", on: loop) { collector.requests.count == 1 }
            bench.makeSpans(1)
            loop.schedule(after: .milliseconds(20)) { collector.release() }
            await bench.exporter.finish()
            #expect(collector.names == ["0", "1", "2"] && bench.metrics.exported.value == 3 && bench.lost == 0)
        }
    }

    @Test("a pause is not waited for: the batch is tried once more")
    func pause() async throws {
        var options = Self.slow
        options.period = .milliseconds(5)
        try await exporting(to: [.status(503), .status(200)], options) { loop, bench, collector in
            bench.makeSpans(1)
            try await eventually("the exporter pauses", on: loop) { bench.metrics.failures.value == 1 }
            await bench.exporter.finish()
            #expect(bench.metrics.exported.value == 1 && collector.requests.count == 2)
        }
    }

    @Test("a collector that hangs holds the end up for the limit and no longer; what is left is lost")
    func hanging() async throws {
        var options = Self.slow
        options.flushLimit = .milliseconds(200)
        options.requestLimit = .seconds(3600)
        options.batchMax = 2
        try await exporting(to: [.silence], options) { loop, bench, collector in
            bench.makeSpans(5)
            let start = ContinuousClock.now
            await bench.exporter.finish()
            let duration = ContinuousClock.now - start
            // Ended by this limit: the request's own is an hour.
            #expect(duration >= .milliseconds(190))
            #expect(bench.metrics.lost[.unreachable].value == 5 && collector.requests.count == 1)
        }
    }

    @Test("a collector that is away does not hold the end up")
    func away() async throws {
        let port = try LoopbackSocket.freePort()
        try await onLoop { loop in
            var options = Self.slow
            options.batchMax = 2
            options.flushLimit = .seconds(60)
            let bench = try ExportBench(to: "http://127.0.0.1:\(port)/", options: options, on: loop)
            bench.exporter.start()
            bench.makeSpans(5)
            await bench.exporter.finish()
            #expect(bench.metrics.lost[.unreachable].value == 5 && bench.metrics.failures.value == 3)
        }
    }
}
