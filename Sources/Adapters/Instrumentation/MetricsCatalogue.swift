internal import Telemetry

/// Generates `docs/metrics.md` from the metrics that the roles register.
package enum MetricsCatalogue {
    /// Descriptions of labels with open values.
    private static let openLabels = [
        "provider": "a provider that `AI_PROVIDERS` names",
        "method": "an HTTP method",
        "gen_ai_provider_name": "such a provider, by OpenTelemetry's name where it has one",
        "gen_ai_request_model": "the model it is asked for",
        "route": "the pattern of an API path, `/` for pages, `preflight`, or `none`",
        "status": "an HTTP status",
        "version": "the release",
        "swift": "the compiler's release",
    ]

    /// Descriptions of labels whose values need one.
    private static let describedLabels = ["gen_ai_operation_name": "`chat`, or `generate_content` of Gemini"]

    private struct Entry {
        let listing: MetricListing
        var roles: [ReplicaRole]
    }

    /// The whole page.
    package static func document() -> String {
        var text = """
            # Metrics

            Generated from what `Sources/Adapters/Instrumentation` registers; regenerate with
            `LEMMA_WRITE_DOCS=1 swift test --filter InstrumentationTests`.

            Every replica exports the metrics of its role at `/metrics` of the operations port, all of them from its start:
            a counter begins at 0. Names follow Prometheus' rules, units are base units. The last column has the name in
            OpenTelemetry's semantic conventions, where there is one. Histograms with exemplars export trace ids of sampled
            requests in the OpenMetrics format.

            """
        text += """

            | metric | type | unit | labels | meaning | role | OpenTelemetry |
            | --- | --- | --- | --- | --- | --- | --- |

            """
        return text + entries().map(row).joined()
    }

    private static func row(_ entry: Entry) -> String {
        let metric = entry.listing.description
        let labels = zip(metric.labels, entry.listing.labelValues).map { name, values in
            "`\(name)`: \(Self.values(name, values))"
        }
        let cells = [
            "`\(metric.name)`",
            metric.type.rawValue,
            metric.unit ?? "–",
            labels.isEmpty ? "–" : labels.joined(separator: "; "),
            metric.help,
            entry.roles.map(\.rawValue).joined(separator: ", "),
            OpenTelemetryNames.all[metric.name].map { "`\($0)`" } ?? "–",
        ]
        return "| " + cells.joined(separator: " | ") + " |\n"
    }

    private static func values(_ label: String, _ values: [String]) -> String {
        if let description = describedLabels[label] { return description }
        // Only examples of open labels have no value but this.
        if values == [""] { return openLabels[label] ?? "" }
        return values.map { $0.isEmpty ? "none" : "`\($0)`" }.joined(separator: ", ")
    }

    /// Every metric once, by name.
    private static func entries() -> [Entry] {
        var entries: [String: Entry] = [:]
        for role in ReplicaRole.allCases {
            for listing in registry(of: role).catalogue() {
                entries[listing.description.name, default: Entry(listing: listing, roles: [])].roles.append(role)
            }
        }
        return entries.values.sorted { $0.listing.description.name < $1.listing.description.name }
    }

    /// The metrics of one role, with one example of each open label.
    static func registry(of role: ReplicaRole) -> MetricsRegistry {
        let registry = MetricsRegistry()
        registry.registerProcess(version: "")
        let metrics = LemmaMetrics(registry, roles: [role])
        metrics.provider("", model: "").observeBreaker { nil }
        metrics.http.prepare(method: "", route: "")
        metrics.replica.observeIdleTime(ofLoop: 0) { nil }
        metrics.replica.observeLostLogLines { 0 }
        metrics.replica.observeLostAuditRecords { 0 }
        metrics.traces.observeQueue { 0 }
        return registry
    }
}
