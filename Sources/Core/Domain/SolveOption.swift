/// The options that a client may set for one request.
///
/// This is the one table of options: the body decoder, the validator, the idempotency fingerprint, the Redis hash and the
/// columns in PostgreSQL derive from it. A new option is a case here with its rule and an accessor in ``SolveOptions``. Two
/// stores list it too, and a test fails without it: a migration adds its column, and `input_fields` of the Lua library its
/// field, which a redriven request inherits.
package enum SolveOption: String, Sendable, CaseIterable {
    // The raw value is the member of `options` in the request body and the field of the Redis hash.
    case temperature
    case maxOutputTokens
    case onDisconnect
    case onBusy

    /// The values that the option takes.
    package var rule: Rule {
        switch self {
        case .temperature: .number(0...2)
        case .maxOutputTokens: .integer(1...32_768)
        case .onDisconnect: .choice(SolveOptions.OnDisconnect.self)
        case .onBusy: .choice(SolveOptions.OnBusy.self)
        }
    }

    /// The column in PostgreSQL: the name in snake case.
    package var column: String {
        rawValue.reduce(into: "") { column, character in
            column += character.isUppercase ? "_" + character.lowercased() : String(character)
        }
    }

    /// The type and range of an option's values.
    package enum Rule: Sendable {
        /// A number; without a value the provider's default applies.
        case number(ClosedRange<Double>)
        /// A whole number; without a value the provider's default applies.
        case integer(ClosedRange<Int>)
        /// One of the raw values; without a value `standard` applies.
        case choice(any OptionChoice.Type)
    }

    /// The value of one option.
    package enum Value: Sendable, Hashable {
        case number(Double)
        case integer(Int)
        case text(String)

        /// The value as the idempotency fingerprint and the Redis hash spell it.
        package var storedText: String {
            switch self {
            case .number(let number): String(number)
            case .integer(let integer): String(integer)
            case .text(let text): text
            }
        }
    }
}

/// An option that takes one of a closed set of values.
package protocol OptionChoice: RawRepresentable, CaseIterable, Hashable, Sendable where RawValue == String {
    /// Applies where the client sets no value.
    static var standard: Self { get }
}

extension OptionChoice {
    package static var names: [String] { allCases.map(\.rawValue) }
    package static var standardName: String { standard.rawValue }
}

extension SolveOption.Rule {
    /// The value without a choice of the client; nil where the provider decides.
    package var standard: SolveOption.Value? {
        switch self {
        case .number, .integer: nil
        case .choice(let type): .text(type.standardName)
        }
    }

    /// True where a value has the type and the range of the option.
    package func allows(_ value: SolveOption.Value) -> Bool {
        switch (self, value) {
        case (.number(let range), .number(let number)): range.contains(number)
        case (.integer(let range), .integer(let integer)): range.contains(integer)
        case (.choice(let type), .text(let text)): type.names.contains(text)
        case (.number, _), (.integer, _), (.choice, _): false
        }
    }

    /// The allowed values, as an error message states them.
    package var requirement: String {
        switch self {
        case .number(let range):
            "must be a number from \(Self.short(range.lowerBound)) to \(Self.short(range.upperBound))"
        case .integer(let range): "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .choice(let type): "must be one of: \(type.names.joined(separator: ", "))"
        }
    }

    /// Reads ``SolveOption/Value/storedText``; nil for a value that this release does not know, such as a later release's
    /// choice.
    package func value(storedText text: String) -> SolveOption.Value? {
        switch self {
        case .number: Double(text).map { .number($0) }
        case .integer: Int(text).map { .integer($0) }
        case .choice(let type): type.names.contains(text) ? .text(text) : nil
        }
    }

    private static func short(_ number: Double) -> String {
        let text = String(number)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}
