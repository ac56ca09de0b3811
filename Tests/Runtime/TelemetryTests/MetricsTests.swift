import Glibc
import TestSupport
import Testing

@testable import Telemetry

@Suite("Metrics", .tags(.unit))
struct MetricsTests {
    private func example() -> MetricsRegistry {
        let registry = MetricsRegistry()
        let get = registry.counter(
            "lemma_http_requests_total",
            help: "Requests\nby \"route\" \\.",
            labels: ["route": "/a", "code": "200"]
        )
        get.increment(by: 3)
        let odd: MetricsRegistry.Labels = ["route": "a\"b\\c\nd", "code": "500"]
        _ = registry.counter("lemma_http_requests_total", help: "Requests.", labels: odd)
        registry.gauge("lemma_streams_open", help: "Open streams.").set(2)
        let histogram = registry.histogram(
            "lemma_wait_seconds",
            help: "Waiting.",
            labels: ["queue": "q"],
            limits: [0.1, 1]
        )
        for value in [0.05, 0.1, 0.5, 3, .nan] { histogram.observe(value) }
        registry.observeGauge("lemma_answer", help: "Asked.") { 42.5 }
        registry.observeGauge("lemma_silent", help: "Left out.") { nil }
        return registry
    }

    @Test("the Prometheus text is as format 0.0.4 says")
    func prometheus() {
        #expect(
            example().render(.prometheus) == #"""
                # HELP lemma_answer Asked.
                # TYPE lemma_answer gauge
                lemma_answer 42.5
                # HELP lemma_http_requests_total Requests\nby "route" \\.
                # TYPE lemma_http_requests_total counter
                lemma_http_requests_total{route="/a",code="200"} 3
                lemma_http_requests_total{route="a\"b\\c\nd",code="500"} 0
                # HELP lemma_silent Left out.
                # TYPE lemma_silent gauge
                # HELP lemma_streams_open Open streams.
                # TYPE lemma_streams_open gauge
                lemma_streams_open 2.0
                # HELP lemma_wait_seconds Waiting.
                # TYPE lemma_wait_seconds histogram
                lemma_wait_seconds_bucket{queue="q",le="0.1"} 2
                lemma_wait_seconds_bucket{queue="q",le="1.0"} 3
                lemma_wait_seconds_bucket{queue="q",le="+Inf"} 4
                lemma_wait_seconds_sum{queue="q"} 3.65
                lemma_wait_seconds_count{queue="q"} 4

                """#
        )
    }

    @Test("OpenMetrics names a counter without _total, escapes quotes in help, and ends with EOF")
    func openMetrics() {
        let text = example().render(.openMetrics)
        #expect(text.contains("# TYPE lemma_http_requests counter\nlemma_http_requests_total{route=\"/a\""))
        #expect(text.contains(#"# HELP lemma_http_requests Requests\nby \"route\" \\."#))
        #expect(text.hasSuffix("lemma_wait_seconds_count{queue=\"q\"} 4\n# EOF\n"))
        #expect(MetricsRegistry().render(.openMetrics) == "# EOF\n")
        #expect(MetricsRegistry().render(.prometheus) == "")
    }

    @Test("a unit is the last word of the name, and listed in OpenMetrics only")
    func units() {
        let registry = MetricsRegistry()
        _ = registry.counter("lemma_sent_bytes_total", help: "Sent.")
        _ = registry.gauge("lemma_age_seconds", help: "Age.")
        _ = registry.gauge("lemma_jobs_active", help: "Jobs.")
        #expect(registry.catalogue().map(\.description.unit) == ["seconds", nil, "bytes"])
        let text = registry.render(.openMetrics)
        #expect(text.contains("# TYPE lemma_sent_bytes counter\n# UNIT lemma_sent_bytes bytes\n"))
        #expect(!registry.render(.prometheus).contains("UNIT"))
    }

    @Test("counters of a closed set are all there from the start")
    func closedSet() {
        enum Reason: String, CaseIterable, Sendable { case full, away }
        let registry = MetricsRegistry()
        let counters: Counters<Reason> = registry.counters(
            "lemma_refused_total",
            help: "Refused.",
            labels: ["where": "door"],
            by: "reason",
        )
        counters[.away].increment()
        let text = registry.render()
        #expect(text.contains(#"lemma_refused_total{where="door",reason="full"} 0"#))
        #expect(text.contains(#"lemma_refused_total{where="door",reason="away"} 1"#))
    }

    @Test("the same name and labels give the same instrument")
    func same() {
        let registry = MetricsRegistry()
        let one = registry.counter("lemma_a_total", help: "A.", labels: ["x": "1"])
        #expect(one === registry.counter("lemma_a_total", help: "A.", labels: ["x": "1"]))
        #expect(one !== registry.counter("lemma_a_total", help: "A.", labels: ["x": "2"]))
        let histogram = registry.histogram("lemma_h", help: "H.")
        #expect(histogram === registry.histogram("lemma_h", help: "H."))
    }

    @Test("additions of many threads are all counted")
    func concurrent() async {
        let registry = MetricsRegistry()
        let counter = registry.counter("lemma_a_total", help: "A.")
        let gauge = registry.gauge("lemma_b", help: "B.")
        let histogram = registry.histogram("lemma_c", help: "C.", limits: [1])
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<5_000 {
                        counter.increment()
                        gauge.increment()
                        gauge.add(0.5)
                        gauge.decrement()
                        histogram.observe(.milliseconds(500))
                    }
                }
            }
        }
        #expect(counter.value == 20_000)
        #expect(gauge.value == 10_000)
        #expect(histogram.snapshot().counts == [20_000, 0])
        #expect(histogram.snapshot().sum == 10_000)
    }

    @Test("the catalogue lists names, types and labels in order of name")
    func catalogue() {
        let registry = example()
        let listings = registry.catalogue()
        #expect(listings.map(\.description.name) == listings.map(\.description.name).sorted())
        #expect(
            listings.map(\.description).contains(
                MetricDescription(name: "lemma_wait_seconds", type: .histogram, labels: ["queue"], help: "Waiting.")
            )
        )
        let requests = listings.first { $0.description.name == "lemma_http_requests_total" }
        #expect(requests?.labelValues == [["/a", "a\"b\\c\nd"], ["200", "500"]])
    }

    @Test(
        "Accept chooses OpenMetrics when it is asked for by name and not less than text",
        arguments: [
            (nil, MetricsFormat.prometheus), ("*/*", .prometheus), ("text/plain", .prometheus),
            ("application/openmetrics-text", .openMetrics), ("application/openmetrics-text;q=0", .prometheus),
            ("application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", .openMetrics),
            ("text/plain, application/openmetrics-text; q=0.5", .prometheus), (";;q=,,", .prometheus),
        ]
    )
    func accept(header: String?, format: MetricsFormat) {
        #expect(MetricsFormat.preferred(accept: header) == format)
    }

    @Test("the metrics of the process are there and plausible")
    func process() throws {
        let registry = MetricsRegistry()
        registry.registerProcess(version: "1.2.3")
        let text = registry.render()
        func value(_ name: String) throws -> Double {
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(name + " ") }, "\(name)")
            return try #require(Double(line.dropFirst(name.count + 1)))
        }
        #expect(try value("process_cpu_seconds_total") > 0)
        #expect(try value("process_resident_memory_bytes") > 1_000_000)
        #expect(try value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"))
        #expect(try value("process_open_fds") >= 3)
        #expect(try value("process_max_fds") >= value("process_open_fds"))
        let now = Double(time(nil))
        #expect(try abs(now - value("process_start_time_seconds")) < 3_600)
        #expect(try value("process_threads") >= 1)
        #expect(try value("process_network_receive_bytes_total") >= 0)
        #expect(try value("process_network_transmit_bytes_total") >= 0)
        #expect(text.contains("lemma_build_info{version=\"1.2.3\",swift=\"6."))
    }
}

/// A programmer's mistakes trap, each in a process of its own.
@Suite("Metric registration", .tags(.unit))
struct MetricRegistrationTests {
    @Test("another type for the same name traps")
    func type() async {
        await #expect(processExitsWith: .failure) {
            let registry = MetricsRegistry()
            _ = registry.gauge("lemma_a", help: "A.")
            _ = registry.histogram("lemma_a", help: "A.")
        }
    }

    @Test("other label names for the same name trap")
    func labels() async {
        await #expect(processExitsWith: .failure) {
            let registry = MetricsRegistry()
            _ = registry.gauge("lemma_a", help: "A.", labels: ["x": "1"])
            _ = registry.gauge("lemma_a", help: "A.", labels: ["y": "1"])
        }
    }

    @Test("a second callback for the same series traps")
    func callback() async {
        await #expect(processExitsWith: .failure) {
            let registry = MetricsRegistry()
            registry.observeGauge("lemma_a", help: "A.") { 1 }
            registry.observeGauge("lemma_a", help: "A.") { 2 }
        }
    }

    @Test("a bad name traps", arguments: ["http_requests", "lemma_a-b", "lemma_ä", "lemma_a_total", "lemma_a_sum"])
    func name(name: String) async {
        await #expect(processExitsWith: .failure) { [name] in
            _ = MetricsRegistry().gauge(name, help: "A.")
        }
    }

    @Test("a counter without _total traps")
    func counter() async {
        await #expect(processExitsWith: .failure) { _ = MetricsRegistry().counter("lemma_a", help: "A.") }
    }
}
