/// One setting as documentation and listings show it.
package struct Setting: Sendable {
    /// The environment variable.
    package let name: String
    /// The heading of its section.
    package let section: String
    /// The default, in Markdown.
    package let defaultText: String
    /// The allowed values, in Markdown.
    package let allowed: String
    /// Its meaning, in Markdown.
    package let summary: String
    /// The value in force, masked; nil without one.
    package let shownValue: String?
    /// The source of that value.
    package let source: SettingSource
}

/// The value of a setting that is not set.
package struct SettingDefault: Hashable, Sendable, ExpressibleByStringLiteral {
    /// The value as it is written in the environment.
    let text: String
    /// The default as the documentation describes it, in Markdown.
    let documented: String

    /// A default that does not depend on the process.
    package init(stringLiteral value: String) {
        text = value
        documented = "`\(value)`"
    }

    /// A default that depends on the process; `documented` describes it, in Markdown.
    package init(_ text: String, documented: String) {
        self.text = text
        self.documented = documented
    }
}

/// Reads settings one by one from the sources, and collects their rows and all mistakes.
///
/// Each call is a row of the table of settings: it has the name, the format, the default and the meaning, and returns the
/// value. A mistake does not stop the reading: the call returns the default. An empty value counts as not set; an empty
/// value in the environment also hides the value in `.env`.
package final class SettingReader {
    private let environment: [String: String]
    private let dotEnv: [String: String]
    private var section = ""
    /// The settings read so far.
    package private(set) var rows: [Setting] = []
    /// The mistakes found so far.
    package private(set) var mistakes: [SettingMistake] = []

    /// `environment` takes precedence over `dotEnv`.
    package init(environment: [String: String], dotEnv: [String: String]) {
        self.environment = environment
        self.dotEnv = dotEnv
    }

    /// Begins a section of the settings that are read next.
    package func begin(section: String) { self.section = section }

    /// Records a mistake, for example about several settings.
    package func note(_ mistake: SettingMistake) { mistakes.append(mistake) }

    /// Records that the value of a setting that was read before cannot be used; `reason` contains no secret.
    package func refuse(_ name: String, because reason: String) {
        guard let row = rows.first(where: { $0.name == name }) else {
            preconditionFailure("there is no setting \(name)")
        }
        note(.unusable(name: name, value: row.shownValue ?? "", reason: reason, source: row.source))
    }

    /// Reads a setting that always has a value.
    package func value<Value>(
        _ name: String,
        _ format: SettingFormat<Value>,
        default fallback: SettingDefault,
        _ summary: String
    ) -> Value {
        guard let defaultValue = format.parse(fallback.text) else {
            preconditionFailure("the default of \(name) is not allowed by its own format")
        }
        let (text, source) = find(name)
        rows.append(row(name, format, fallback.documented, summary, shown: text ?? fallback.text, source: source))
        guard let text else { return defaultValue }
        return parse(text, name, format, source) ?? defaultValue
    }

    /// Reads a setting that may have no value; a missing value that is `required` is a mistake.
    ///
    /// For settings that only some processes require or have a `default` for; `documented` describes the cases, in Markdown.
    package func optional<Value>(
        _ name: String,
        _ format: SettingFormat<Value>,
        required: Bool = false,
        default fallback: String? = nil,
        documented: String = "–",
        _ summary: String
    ) -> Value? {
        let (text, source) = find(name)
        rows.append(row(name, format, documented, summary, shown: text ?? fallback, source: source))
        guard let text = text ?? fallback else {
            if required { mistakes.append(.missing(name: name, allowed: format.allowed)) }
            return nil
        }
        return parse(text, name, format, source)
    }

    /// True if a source sets the value.
    package func isSet(_ name: String) -> Bool { find(name).text != nil }

    private func find(_ name: String) -> (text: String?, source: SettingSource) {
        if let text = environment[name] { return text.isEmpty ? (nil, .default) : (text, .environment) }
        if let text = dotEnv[name], !text.isEmpty { return (text, .dotEnv) }
        return (nil, .default)
    }

    private func parse<Value>(
        _ text: String,
        _ name: String,
        _ format: SettingFormat<Value>,
        _ source: SettingSource
    ) -> Value? {
        if let value = format.parse(text) { return value }
        let shown = format.masking.apply(to: text)
        mistakes.append(.notAllowed(name: name, value: shown, allowed: format.allowed, source: source))
        return nil
    }

    private func row<Value>(
        _ name: String,
        _ format: SettingFormat<Value>,
        _ documented: String,
        _ summary: String,
        shown: String?,
        source: SettingSource
    ) -> Setting {
        Setting(
            name: name,
            section: section,
            defaultText: documented,
            allowed: format.allowed,
            summary: summary,
            shownValue: shown.map(format.masking.apply(to:)),
            source: source,
        )
    }
}
