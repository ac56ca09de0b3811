/// The values of the solve options of one request.
///
/// Values are stored by ``SolveOption``, so that code which handles all options cannot omit one: there is no property beside
/// the table. Two sets of options are equal when they have the same effect: setting the standard value is setting nothing.
package struct SolveOptions: Sendable, Hashable, CustomStringConvertible {
    /// What happens to the request when its last viewer disconnects.
    package enum OnDisconnect: String, OptionChoice {
        case `continue`
        case cancel

        package static let standard = OnDisconnect.continue
    }

    /// What happens when the conversation already has a running request.
    package enum OnBusy: String, OptionChoice {
        case enqueue
        case reject
        case interrupt

        package static let standard = OnBusy.enqueue
    }

    /// The values that differ from the standard ones.
    private var values: [SolveOption: SolveOption.Value] = [:]

    /// Every option has its standard value.
    package init() {}

    /// Options without a value have their standard one.
    package init(_ values: [SolveOption: SolveOption.Value]) {
        for (option, value) in values { self[option] = value }
    }

    /// Reads stored texts by option; a missing text and one that this release does not know give the standard value.
    package init(stored text: (SolveOption) -> String?) {
        for option in SolveOption.allCases { self[option] = text(option).flatMap { option.rule.value(storedText: $0) } }
    }

    /// The value that applies: the set one or the standard one; nil where the provider decides.
    package subscript(option: SolveOption) -> SolveOption.Value? {
        get { values[option] ?? option.rule.standard }
        set { values[option] = newValue == option.rule.standard ? nil : newValue }
    }

    /// The options whose value is not the standard one.
    package var changed: Set<SolveOption> { Set(values.keys) }

    /// Sampling temperature; nil leaves it to the provider.
    package var temperature: Double? {
        get { if case .number(let number) = self[.temperature] { number } else { nil } }
        set { self[.temperature] = newValue.map { .number($0) } }
    }

    /// Limit of the answer in provider tokens; nil leaves it to the provider.
    package var maxOutputTokens: Int? {
        get { if case .integer(let integer) = self[.maxOutputTokens] { integer } else { nil } }
        set { self[.maxOutputTokens] = newValue.map { .integer($0) } }
    }

    package var onDisconnect: OnDisconnect { choice(.onDisconnect) }

    package var onBusy: OnBusy { choice(.onBusy) }

    /// The set values in the order of the table.
    package var description: String {
        let set = SolveOption.allCases.compactMap { option in values[option].map { "\(option)=\($0.storedText)" } }
        return "[\(set.joined(separator: " "))]"
    }

    private func choice<Choice: OptionChoice>(_ option: SolveOption) -> Choice {
        guard case .text(let text) = self[option] else { return .standard }
        return Choice(rawValue: text) ?? .standard
    }
}
