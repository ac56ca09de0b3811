/// The command line of one command.
package struct CommandSpecification: Sendable {
    /// The word that selects the command.
    package let name: String
    /// One line, for the table of commands.
    package let summary: String
    /// The operands in order, each required; written in capitals.
    package let operands: [String]
    /// The options, in addition to `--help` and `--version`.
    package let options: [CommandOption]
    /// Further paragraphs of the help of the command; may be empty.
    package let details: String
    /// True if a word with one leading dash (`-2x = 4`) is an operand and not an option.
    package let operandsMayBeginWithDash: Bool

    /// By default a command without operands and options.
    package init(
        _ name: String,
        summary: String,
        operands: [String] = [],
        options: [CommandOption] = [],
        details: String = "",
        operandsMayBeginWithDash: Bool = false
    ) {
        self.name = name
        self.summary = summary
        self.operands = operands
        self.options = options
        self.details = details
        self.operandsMayBeginWithDash = operandsMayBeginWithDash
    }
}

/// One option of a command, written `--name`, `--name VALUE` or `--name=VALUE`.
package struct CommandOption: Sendable {
    /// Without the dashes.
    package let name: String
    /// The name of its value in the help; nil for an option without a value.
    package let value: String?
    /// One line.
    package let summary: String

    /// An option with a value.
    package init(_ name: String, value: String, _ summary: String) {
        self.name = name
        self.value = value
        self.summary = summary
    }

    /// An option without a value.
    package init(flag name: String, _ summary: String) {
        self.name = name
        value = nil
        self.summary = summary
    }
}

/// The parsed command line of one command.
package struct ParsedArguments: Sendable, Equatable {
    /// As many as the command requires, or none after `--help` or `--version`.
    package internal(set) var operands: [String] = []
    /// True after `--help` or `-h`; the rest of the line is not checked then.
    package internal(set) var wantsHelp = false
    /// True after `--version`; the rest of the line is not checked then.
    package internal(set) var wantsVersion = false
    var values: [String: String] = [:]

    /// The value of an option; nil without the option, empty for an option without a value.
    package subscript(option: String) -> String? { values[option] }

    /// True if the option is present.
    package func has(_ option: String) -> Bool { values[option] != nil }
}

/// A mistake on a command line.
package enum UsageError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Unknown command, with the name of a similar one.
    case unknownCommand(String, suggestion: String?)
    /// Unknown option, with the name of a similar one; both with their dashes.
    case unknownOption(String, suggestion: String?)
    /// The option is repeated.
    case repeatedOption(String)
    /// The option requires a value, and no word follows.
    case missingValue(option: String, value: String)
    /// The option takes no value.
    case unexpectedValue(option: String)
    /// An operand is missing.
    case missingOperand(String)
    /// The word that selects what a command does is missing; `actions` lists the ones that there are.
    case missingAction(actions: String)
    /// There are too many operands.
    case unexpectedOperand(String)
    /// A value is not allowed; `allowed` describes the allowed values.
    case notAllowed(name: String, value: String, allowed: String)

    /// One line, without the program's name.
    package var description: String {
        switch self {
        case .unknownCommand(let name, let suggestion):
            "there is no command \"\(printable(name))\"" + Self.question(suggestion)
        case .unknownOption(let name, let suggestion):
            "there is no option \(printable(name))" + Self.question(suggestion)
        case .repeatedOption(let option): "\(option) may be given only once"
        case .missingValue(let option, let value): "\(option) needs a value: \(option) \(value)"
        case .unexpectedValue(let option): "\(option) takes no value"
        case .missingOperand(let name): "\(name) is missing"
        case .missingAction(let actions): "an action is missing; the actions are: \(actions)"
        case .unexpectedOperand(let text): "unexpected argument \"\(printable(text))\""
        case .notAllowed(let name, let value, let allowed):
            "\(name) is \"\(printable(value))\", which is not allowed; allowed: \(allowed)"
        }
    }

    private static func question(_ suggestion: String?) -> String { suggestion.map { "; did you mean \($0)?" } ?? "" }
}
