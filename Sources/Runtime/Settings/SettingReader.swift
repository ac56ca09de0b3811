/// One row of the table of settings, as documentation and listings show it.
package struct Setting: Sendable {
    /// The environment variable.
    package let name: String
    /// The heading it stands under.
    package let section: String
    /// What holds without it, in Markdown.
    package let defaultText: String
    /// What is allowed, in Markdown.
    package let allowed: String
    /// What it means, in Markdown.
    package let summary: String
    /// The value in force, masked; nil when there is none.
    package let shownValue: String?
    /// Where that value came from.
    package let source: SettingSource
    /// True for one that only a later release gives a meaning: it is checked, and changes nothing.
    package let isReserved: Bool
}

/// What holds when a variable is not set.
package struct SettingDefault: Hashable, Sendable, ExpressibleByStringLiteral {
    /// The value as one would write it.
    let text: String
    /// The default as the documentation words it, when it is not the same everywhere.
    let documented: String

    /// A default that is the same everywhere.
    package init(stringLiteral value: String) {
        text = value
        documented = "`\(value)`"
    }

    /// A default that depends on something; `documented` says on what, in Markdown.
    package init(_ text: String, documented: String) {
        self.text = text
        self.documented = documented
    }
}

/// Reads one setting after the other out of the sources, and keeps the rows and every mistake.
///
/// Reading *is* the table: the call that gives a field its value also carries the name, the default and the meaning,
/// so none of them can be forgotten elsewhere. A mistake does not stop the reading; the call then gives the default.
/// An empty value counts as not set; an empty one in the environment also hides the one in `.env`.
package final class SettingReader {
    private let environment: [String: String]
    private let dotEnv: [String: String]
    private var section = ""
    /// The rows read so far.
    package private(set) var rows: [Setting] = []
    /// The mistakes found so far.
    package private(set) var mistakes: [SettingMistake] = []

    /// Makes a reader; `environment` wins over `dotEnv`.
    package init(environment: [String: String], dotEnv: [String: String]) {
        self.environment = environment
        self.dotEnv = dotEnv
    }

    /// Puts the settings that follow under a heading.
    package func begin(section: String) { self.section = section }

    /// Notes a mistake that concerns several settings.
    package func note(_ mistake: SettingMistake) { mistakes.append(mistake) }

    /// Notes that the value of a setting, which has been read, cannot be used; `reason` names no secret.
    package func refuse(_ name: String, because reason: String) {
        guard let row = rows.first(where: { $0.name == name }) else {
            preconditionFailure("there is no setting \(name)")
        }
        note(.unusable(name: name, value: row.shownValue ?? "", reason: reason, source: row.source))
    }

    /// A setting that always has a value.
    ///
    /// A `reserved` one is for a later release, and where it is set a warning says that it changes nothing yet.
    package func value<Value>(
        _ name: String,
        _ format: SettingFormat<Value>,
        default fallback: SettingDefault,
        reserved: Bool = false,
        _ summary: String
    ) -> Value {
        guard let defaultValue = format.parse(fallback.text) else {
            preconditionFailure("the default of \(name) is not allowed by its own format")
        }
        let (text, source) = find(name)
        let row = row(name, format, fallback.documented, summary, shown: text ?? fallback.text, source: source)
        rows.append(reserved ? row.reserved : row)
        guard let text else { return defaultValue }
        return parse(text, name, format, source) ?? defaultValue
    }

    /// A setting that may have no value; without one that is `required`, a mistake is noted.
    ///
    /// For what only some processes require, or have a `default` for; `documented` tells the cases, in Markdown.
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

    /// True where a setting has a value other than by default.
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
            isReserved: false,
        )
    }
}

extension Setting {
    /// The same for a later release.
    fileprivate var reserved: Setting {
        Setting(
            name: name,
            section: section,
            defaultText: defaultText,
            allowed: allowed,
            summary: "\(summary) Reserved: this release does not use it yet.",
            shownValue: shownValue,
            source: source,
            isReserved: true,
        )
    }

    /// What is to be said where it is set and changes nothing.
    var reservation: String? {
        guard isReserved, source != .default else { return nil }
        return "\(name) is set (\(source)), but this release does not use it yet: it changes nothing"
    }
}
