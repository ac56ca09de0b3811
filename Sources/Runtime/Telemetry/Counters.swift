/// One counter for each value of a label, whose closed set is an enum; all are there, at zero, from the start.
package struct Counters<Label>: Sendable
where Label: CaseIterable & Hashable & RawRepresentable & Sendable, Label.RawValue == String {
    private let counters: [Label: Counter]

    /// The counter of one value.
    package subscript(_ label: Label) -> Counter {
        guard let counter = counters[label] else { preconditionFailure("a label's value is none of its cases") }
        return counter
    }

    fileprivate init(_ make: (Label) -> Counter) {
        counters = Dictionary(uniqueKeysWithValues: Label.allCases.map { ($0, make($0)) })
    }
}

extension MetricsRegistry {
    /// A counter for each case of `Label`, whose raw value is the value of the label `name`, the last one.
    package func counters<Label>(
        _ metric: String,
        help: String,
        labels: Labels = [:],
        by name: String,
        of _: Label.Type = Label.self
    ) -> Counters<Label> {
        Counters { counter(metric, help: help, labels: labels.map(\.self) + [(name, $0.rawValue)]) }
    }
}
