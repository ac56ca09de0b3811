/// One instrument for each value of a label, which is an enum; all exist, at zero, from the start.
package struct ByLabel<Label, Instrument>: Sendable
where Label: CaseIterable & Hashable & RawRepresentable & Sendable, Label.RawValue == String, Instrument: Sendable {
    private let instruments: [Label: Instrument]

    /// The instrument of one label value.
    package subscript(_ label: Label) -> Instrument {
        guard let instrument = instruments[label] else {
            preconditionFailure("a label value is not among the cases of its enum")
        }
        return instrument
    }

    fileprivate init(_ make: (Label) -> Instrument) {
        instruments = Dictionary(uniqueKeysWithValues: Label.allCases.map { ($0, make($0)) })
    }
}

package typealias Counters<Label> = ByLabel<Label, Counter>
where Label: CaseIterable & Hashable & RawRepresentable & Sendable, Label.RawValue == String

package typealias Gauges<Label> = ByLabel<Label, Gauge>
where Label: CaseIterable & Hashable & RawRepresentable & Sendable, Label.RawValue == String

extension MetricsRegistry {
    /// Registers a counter for each case of `Label`; the raw value is the value of the label `name`, which is the last label.
    package func counters<Label>(
        _ metric: String,
        help: String,
        labels: Labels = [:],
        by name: String,
        of _: Label.Type = Label.self
    ) -> Counters<Label> {
        Counters { counter(metric, help: help, labels: labels.map(\.self) + [(name, $0.rawValue)]) }
    }

    /// Registers a gauge for each case of `Label` in the same way.
    package func gauges<Label>(
        _ metric: String,
        help: String,
        by name: String,
        of _: Label.Type = Label.self
    ) -> Gauges<Label> {
        Gauges { gauge(metric, help: help, labels: [name: $0.rawValue]) }
    }
}
