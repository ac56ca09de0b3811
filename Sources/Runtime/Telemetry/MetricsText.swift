/// The text formats of a scrape.
package enum MetricsFormat: Sendable, CaseIterable {
    /// Prometheus text format 0.0.4.
    case prometheus
    /// OpenMetrics 1.0.
    case openMetrics

    /// The `Content-Type` of a response.
    package var contentType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The format for an `Accept` header (RFC 9110): OpenMetrics if the header names it with at least the weight of
    /// `text/plain`.
    package static func preferred(accept: String?) -> MetricsFormat {
        var open = 0.0
        var plain = 0.0
        for item in (accept ?? "").lowercased().split(separator: ",") {
            let parts = item.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            switch parts.first {
            case "application/openmetrics-text": open = max(open, weight)
            case "text/plain": plain = max(plain, weight)
            default: break
            }
        }
        return open > 0 && open >= plain ? .openMetrics : .prometheus
    }
}

/// Builds the text of a scrape.
struct MetricsText {
    let format: MetricsFormat
    private var text = ""

    init(format: MetricsFormat) { self.format = format }

    mutating func append(_ family: MetricFamily) {
        let metric = family.description
        let name = familyName(metric)
        text += "# HELP \(name) \(escaped(metric.help, quotes: format == .openMetrics))\n"
        text += "# TYPE \(name) \(metric.type.rawValue)\n"
        if format == .openMetrics, let unit = metric.unit { text += "# UNIT \(name) \(unit)\n" }
        for series in family.series {
            switch series.source {
            case .counter(let counter):
                sample(metric.name, series.labels, "\(counter.value)")
            case .gauge(let gauge):
                sample(metric.name, series.labels, number(gauge.value))
            case .callback(let read):
                if let value = read() { sample(metric.name, series.labels, number(value)) }
            case .histogram(let histogram):
                append(histogram, metric.name, series.labels)
            }
        }
    }

    func finish() -> String { format == .openMetrics ? text + "# EOF\n" : text }

    /// OpenMetrics names a counter without the `_total` of its sample.
    private func familyName(_ metric: MetricDescription) -> String {
        format == .openMetrics && metric.type == .counter ? String(metric.name.dropLast("_total".count)) : metric.name
    }

    /// The count is the sum of the buckets that were read, so that it equals the last bucket.
    private mutating func append(_ histogram: Histogram, _ name: String, _ labels: [MetricFamily.Label]) {
        let (counts, sum) = histogram.snapshot()
        var cumulative = 0
        for (index, limit) in (histogram.limits + [.infinity]).enumerated() {
            cumulative += counts[index]
            let bucket = labels + [MetricFamily.Label(name: "le", value: number(limit))]
            let exemplar = format == .openMetrics ? histogram.exemplar(of: index) : nil
            sample(name + "_bucket", bucket, "\(cumulative)", exemplar)
        }
        sample(name + "_sum", labels, number(sum))
        sample(name + "_count", labels, "\(cumulative)")
    }

    private mutating func sample(
        _ name: String,
        _ labels: [MetricFamily.Label],
        _ value: String,
        _ exemplar: Exemplar? = nil
    ) {
        text += name
        if !labels.isEmpty {
            let pairs = labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }
            text += "{" + pairs.joined(separator: ",") + "}"
        }
        text += " \(value)"
        if let exemplar {
            text += " # {trace_id=\"\(exemplar.traceID)\"} \(number(exemplar.value)) \(number(exemplar.time))"
        }
        text += "\n"
    }

    private func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return "\(value)"
    }

    private func escaped(_ value: String, quotes: Bool) -> String {
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
