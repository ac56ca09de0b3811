/// A piece of typed text.
///
/// Nothing but these ever leaves the tokenizer.
struct Token: Equatable, Sendable {
    var kind: Kind
    /// True if white space came before it.
    var isSpaced: Bool

    enum Kind: Equatable, Sendable {
        case number(DecimalNumber)
        /// A run of ASCII letters, with its case.
        case word(String)
        /// `\name` of LaTeX, without the backslash.
        case command(String)
        /// A letter in quotation marks: an unknown in the calculator's results.
        case quoted(Variable)
        case symbol(Symbol)
    }

    enum Symbol: String, Sendable {
        case plus = "+"
        case minus = "-"
        case times = "*"
        case slash = "/"
        case caret = "^"
        case open = "("
        case close = ")"
        case openBrace = "{"
        case closeBrace = "}"
        case bar = "|"
        case equal = "="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case comma = ","
        case semicolon = ";"
        case colon = ":"
        case newline = "new line"
        case percent = "%"
        case factorial = "!"
        case degree = "°"
        case underscore = "_"
        case arrow = "->"
        case full = "."
        case question = "?"
        case integral = "∫"
    }

    var word: String? { if case .word(let word) = kind { word.lowercased() } else { nil } }
    func `is`(_ symbol: Symbol) -> Bool { kind == .symbol(symbol) }

    /// What a message shows of it.
    var shown: String {
        switch kind {
        case .number(let number): number.digits
        case .word(let word), .command(let word): word
        case .quoted(let variable): String(variable.letter)
        case .symbol(let symbol): symbol.rawValue
        }
    }
}

/// Why a text could not be read.
///
/// Descriptions are shown to the student and carry at most a word of the input, letters only.
enum ReadingError: Error, Equatable, Sendable {
    case unexpectedCharacter
    case unknownWord(String)
    case unexpected(String)
    case incomplete
    case severalInequalities
    case tooLong
    case tooDeep
    case tooLarge
}
