/// One mistake in the settings; its secrets are masked, so that it may be shown.
package enum SettingMistake: Sendable, Hashable, CustomStringConvertible {
    /// A required variable is not set, or empty.
    case missing(name: String, allowed: String)
    /// A value is not allowed.
    case notAllowed(name: String, value: String, allowed: String, source: SettingSource)
    /// A value has the right format, but the module that uses it rejects it.
    case unusable(name: String, value: String, reason: String, source: SettingSource)
    /// Values that are each allowed contradict each other.
    case contradiction(names: [String], reason: String)
    /// A line of `.env` cannot be parsed; the first is number 1.
    case unreadableLine(number: Int, reason: String)

    /// One line.
    package var description: String {
        switch self {
        case .missing(let name, let allowed):
            "\(name) is required and not set; allowed: \(allowed)"
        case .notAllowed(let name, let value, let allowed, let source):
            "\(name) is \"\(value)\" (\(source)), which is not allowed; allowed: \(allowed)"
        case .unusable(let name, let value, let reason, let source):
            "\(name) is \"\(value)\" (\(source)), which cannot be used: \(reason)"
        case .contradiction(let names, let reason):
            "\(names.joined(separator: ", ")): \(reason)"
        case .unreadableLine(let number, let reason):
            ".env line \(number): \(reason)"
        }
    }
}

/// All mistakes in the settings of one process; at least one.
package struct InvalidSettings: Error, Sendable, Hashable, CustomStringConvertible {
    /// In the order in which they were found.
    package let mistakes: [SettingMistake]

    package init(mistakes: [SettingMistake]) { self.mistakes = mistakes }

    /// One line for each mistake.
    package var description: String {
        (["invalid configuration:"] + mistakes.map { "  \($0)" }).joined(separator: "\n")
    }
}

/// The source of a value.
package enum SettingSource: String, Sendable, CustomStringConvertible {
    /// The default of the setting.
    case `default`
    /// The process environment.
    case environment
    /// The file `.env` in the working directory.
    case dotEnv = ".env"

    /// The source as listings show it.
    package var description: String { rawValue }
}
