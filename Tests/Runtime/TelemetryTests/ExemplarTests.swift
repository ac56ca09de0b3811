import Glibc
import TestSupport
import Testing

@testable import Telemetry

@Suite("Exemplars", .tags(.unit))
struct ExemplarTests {
    private let registry = MetricsRegistry()
    private let histogram: Histogram
    private let one = String(repeating: "1a", count: 16)
    private let other = String(repeating: "f0", count: 16)

    init() { histogram = registry.histogram("lemma_wait_seconds", help: "Waiting.", limits: [0.5, 1]) }

    private func bucket(_ limit: String) -> String? {
        let lines = registry.render(.openMetrics).split(separator: "\n")
        return lines.first { $0.hasPrefix("lemma_wait_seconds_bucket{le=\"\(limit)\"}") }.map(String.init)
    }

    @Test("each bucket shows its last one with value and time, in OpenMetrics only")
    func last() throws {
        histogram.observe(0.25, exemplar: other)
        histogram.observe(.milliseconds(125), exemplar: one)
        histogram.observe(0.375)
        histogram.observe(7, exemplar: other)
        let line = try #require(bucket("0.5"))
        let parts = line.split(separator: " ").map(String.init)
        #expect(
            parts.dropLast() == [#"lemma_wait_seconds_bucket{le="0.5"}"#, "3", "#", "{trace_id=\"\(one)\"}", "0.125"]
        )
        let age = try Double(time(nil)) - #require(parts.last.flatMap { Double($0) })
        #expect(abs(age) < 60)
        #expect(bucket("1.0") == #"lemma_wait_seconds_bucket{le="1.0"} 3"#)
        #expect(bucket("+Inf")?.contains("4 # {trace_id=\"\(other)\"} 7.0 ") == true)
        #expect(!registry.render(.prometheus).contains("trace_id"))
    }

    @Test(
        "what is no trace id is counted, and not shown",
        arguments: ["", "1a", String(repeating: "A", count: 32), String(repeating: "é", count: 16), #"""# + "}"]
    )
    func malformed(traceID: String) {
        histogram.observe(0.25, exemplar: traceID)
        #expect(bucket("0.5") == #"lemma_wait_seconds_bucket{le="0.5"} 1"#)
    }

    @Test("a scrape in the middle of observations sees whole ones")
    func whole() async {
        let pairs = [(0.25, one), (0.125, other)]
        await withTaskGroup(of: Void.self) { group in
            for (value, id) in pairs {
                group.addTask { [histogram] in
                    for _ in 0..<20_000 { histogram.observe(value, exemplar: id) }
                }
            }
            for _ in 0..<2_000 {
                guard let seen = histogram.exemplar(of: 0) else { continue }
                #expect(pairs.contains { $0 == (seen.value, seen.traceID) })
            }
        }
        #expect(histogram.snapshot().counts == [40_000, 0, 0])
    }
}
