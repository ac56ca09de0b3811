internal import Synchronization

/// The type of a metric.
package enum MetricType: String, Sendable, CaseIterable {
    case counter
    case gauge
    case histogram
}

/// The description of a metric.
package struct MetricDescription: Sendable, Hashable {
    /// The full name.
    package let name: String
    /// The type.
    package let type: MetricType
    /// Names of the labels, in order.
    package let labels: [String]
    /// What the metric counts or measures, one sentence.
    package let help: String

    /// The base unit at the end of the name; nil for a number without a unit.
    package var unit: String? {
        let words = name.split(separator: "_")
        return words.dropLast(type == .counter ? 1 : 0).last.map(String.init).flatMap {
            Self.units.contains($0) ? $0 : nil
        }
    }

    private static let units: Set<String> = ["seconds", "bytes", "ratio"]
}

/// A metric with the registered values of its labels.
package struct MetricListing: Sendable {
    package let description: MetricDescription
    /// The values of each label that are registered, in that order, each once.
    package let labelValues: [[String]]
}

/// All metrics of a process.
///
/// Instruments are created once, at start; feeding an instrument needs neither the registry nor a lock. Label values are
/// from closed sets (the pattern of a route, never a path or an id), so that the number of series is bounded. Registering
/// the same name and labels again returns the same instrument. An invalid or contradictory name, type or label is a
/// programming error and traps.
package final class MetricsRegistry: Sendable {
    /// Labels with their values, in the order they are written.
    package typealias Labels = KeyValuePairs<String, String>

    private let prefixes: [String]
    private let families = Mutex<[String: MetricFamily]>([:])

    /// An empty registry for names that begin with `namespace` and `_`, or with `process_`.
    package init(namespace: String = "lemma") { prefixes = [namespace + "_", "process_"] }

    /// Registers a counter; its name ends in `_total`.
    package func counter(_ name: String, help: String, labels: Labels = [:]) -> Counter {
        counter(name, help: help, labels: labels.map(\.self))
    }

    func counter(_ name: String, help: String, labels: [(key: String, value: String)]) -> Counter {
        let series = register(name, .counter, help, labels) { .counter(Counter()) }
        guard case .counter(let counter) = series else { preconditionFailure("\(name) is read by a callback") }
        return counter
    }

    /// Registers a gauge.
    package func gauge(_ name: String, help: String, labels: Labels = [:]) -> Gauge {
        let series = register(name, .gauge, help, labels) { .gauge(Gauge()) }
        guard case .gauge(let gauge) = series else { preconditionFailure("\(name) is read by a callback") }
        return gauge
    }

    /// Registers a histogram; `limits` are finite and ascending, and the same for all labels of a name.
    package func histogram(
        _ name: String,
        help: String,
        labels: Labels = [:],
        limits: [Double] = Histogram.seconds
    ) -> Histogram {
        precondition(
            !limits.isEmpty && limits.allSatisfy(\.isFinite) && zip(limits, limits.dropFirst()).allSatisfy { $0 < $1 },
            "the limits of \(name) are not ascending"
        )
        let series = register(name, .histogram, help, labels) { .histogram(Histogram(limits: limits)) }
        guard case .histogram(let histogram) = series, histogram.limits == limits else {
            preconditionFailure("\(name) has other limits already")
        }
        return histogram
    }

    /// Registers a gauge that reads its value at each scrape, on the scraping thread; nil omits the sample.
    ///
    /// The callback does not block and does not register metrics. A second callback with the same labels traps.
    package func observeGauge(
        _ name: String,
        help: String,
        labels: Labels = [:],
        _ read: @escaping @Sendable () -> Double?
    ) {
        observe(name, .gauge, help, labels, read)
    }

    /// Registers a counter that reads its value at each scrape, like ``observeGauge(_:help:labels:_:)``.
    package func observeCounter(
        _ name: String,
        help: String,
        labels: Labels = [:],
        _ read: @escaping @Sendable () -> Double?
    ) {
        observe(name, .counter, help, labels, read)
    }

    /// All metrics by name.
    package func catalogue() -> [MetricListing] {
        sortedFamilies().map { family in
            let values = family.description.labels.indices.map { index in
                family.series.reduce(into: [String]()) { values, series in
                    let value = series.labels[index].value
                    if !values.contains(value) { values.append(value) }
                }
            }
            return MetricListing(description: family.description, labelValues: values)
        }
    }

    /// The text of a scrape.
    package func render(_ format: MetricsFormat = .prometheus) -> String {
        var text = MetricsText(format: format)
        for family in sortedFamilies() { text.append(family) }
        return text.finish()
    }

    private func sortedFamilies() -> [MetricFamily] {
        families.withLock { $0.values.sorted { $0.description.name < $1.description.name } }
    }

    private func observe(
        _ name: String,
        _ type: MetricType,
        _ help: String,
        _ labels: Labels,
        _ read: @escaping @Sendable () -> Double?
    ) {
        var isNew = false
        _ = register(name, type, help, labels) {
            isNew = true
            return .callback(read)
        }
        precondition(isNew, "\(name) is registered already")
    }

    private func register(
        _ name: String,
        _ type: MetricType,
        _ help: String,
        _ labels: some Sequence<(key: String, value: String)>,
        make: () -> MetricFamily.Source
    ) -> MetricFamily.Source {
        let pairs = labels.map { MetricFamily.Label(name: $0.key, value: $0.value) }
        let description = MetricDescription(name: name, type: type, labels: pairs.map(\.name), help: help)
        check(description)
        return families.withLock { families in
            var family = families[name] ?? MetricFamily(description: description)
            precondition(family.description.type == type, "\(name) is registered with another type")
            precondition(family.description.labels == description.labels, "\(name) is registered with other labels")
            if let series = family.series.first(where: { $0.labels == pairs }) { return series.source }
            let source = make()
            family.series.append(MetricFamily.Series(labels: pairs, source: source))
            families[name] = family
            return source
        }
    }

    /// Traps on names that Prometheus, OpenMetrics or the naming rules of this project do not allow.
    private func check(_ metric: MetricDescription) {
        let name = metric.name
        precondition(isIdentifier(name), "\(name) is not a metric name")
        precondition(prefixes.contains { name.hasPrefix($0) }, "\(name) begins with none of \(prefixes)")
        switch metric.type {
        case .counter: precondition(name.hasSuffix("_total"), "a counter's name ends in _total: \(name)")
        case .gauge, .histogram:
            let reserved = ["_total", "_bucket", "_count", "_sum", "_created"]
            precondition(!reserved.contains { name.hasSuffix($0) }, "\(name) has the ending of another type")
        }
        precondition(!metric.help.isEmpty, "\(name) has no help")
        precondition(Set(metric.labels).count == metric.labels.count, "\(name) has a label twice")
        for label in metric.labels {
            let isFree = !label.hasPrefix("__") && !(metric.type == .histogram && label == "le")
            precondition(isIdentifier(label) && isFree, "\(label) of \(name) is not a label name")
        }
    }

    private func isIdentifier(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == UInt8(ascii: "_")
        }
    }
}

/// One name with its series.
struct MetricFamily: Sendable {
    struct Label: Sendable, Hashable {
        let name: String
        let value: String
    }

    /// The source of the value of a series.
    enum Source: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
        case callback(@Sendable () -> Double?)
    }

    struct Series: Sendable {
        let labels: [Label]
        let source: Source
    }

    let description: MetricDescription
    /// In the order of registration.
    var series: [Series] = []
}
