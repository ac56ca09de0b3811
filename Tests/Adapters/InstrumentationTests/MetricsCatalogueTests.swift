import FoundationEssentials
import Telemetry
import TestSupport
import Testing

@testable import Instrumentation

@Suite("docs/metrics.md", .tags(.unit))
struct MetricsCatalogueTests {
    private static var path: String {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        return "/\(root)/docs/metrics.md"
    }

    @Test("the committed page is what the code registers; LEMMA_WRITE_DOCS=1 writes it anew")
    func committed() throws {
        let generated = MetricsCatalogue.document()
        if ProcessInfo.processInfo.environment["LEMMA_WRITE_DOCS"] == "1" {
            try generated.write(toFile: Self.path, atomically: true, encoding: .utf8)
        }
        let data = try #require(FileManager.default.contents(atPath: Self.path), "docs/metrics.md is missing")
        #expect(String(decoding: data, as: UTF8.self) == generated)
    }

    @Test(
        "every metric has a series from the start, and every label values or a description",
        arguments: ReplicaRole.allCases
    )
    func series(role: ReplicaRole) {
        for listing in MetricsCatalogue.registry(of: role).catalogue() {
            #expect(listing.labelValues.allSatisfy { !$0.isEmpty }, "\(listing.description.name)")
        }
    }

    @Test("every label has values or a description")
    func labels() {
        #expect(!MetricsCatalogue.document().contains("`: ;"))
        #expect(!MetricsCatalogue.document().contains("`:  |"))
    }

    @Test("a row has everything about a metric")
    func row() {
        let row = """
            | `lemma_gen_ai_client_token_usage_tokens` | histogram | – | `gen_ai_operation_name`: `chat`, or \
            `generate_content` of Gemini; `gen_ai_provider_name`: such a provider, by OpenTelemetry's name where it has \
            one; `gen_ai_request_model`: the model it is asked for; `gen_ai_token_type`: `input`, `output` | Tokens of \
            each call, told or estimated | worker | `gen_ai.client.token.usage` |

            """
        #expect(MetricsCatalogue.document().contains(row))
    }

    @Test("OpenTelemetry's names are given to metrics that exist")
    func conventions() {
        let known = ReplicaRole.allCases.flatMap {
            MetricsCatalogue.registry(of: $0).catalogue().map(\.description.name)
        }
        #expect(Set(OpenTelemetryNames.all.keys).subtracting(known).isEmpty)
    }
}
