/// Cuts typed text into tokens; anything outside the alphabet of ``Token`` is refused.
struct Tokenizer {
    /// Longest text a student may send, in Unicode scalars.
    static let typedMax = 2_000
    static let typedTokensMax = 400

    private let scalars: [Unicode.Scalar]
    private let readsQuotes: Bool
    private var position = 0
    private var tokens: [Token] = []
    private var sawSpace = true

    /// What a student typed.
    static func typed(_ text: String) throws(ReadingError) -> [Token] {
        let scalars = Array(text.unicodeScalars.prefix(typedMax + 1))
        guard scalars.count <= typedMax else { throw .tooLong }
        var tokenizer = Tokenizer(scalars: scalars, readsQuotes: false)
        let tokens = try tokenizer.run()
        guard tokens.count <= typedTokensMax else { throw .tooLong }
        return tokens
    }

    /// A result of the calculator, with unknowns in quotation marks.
    static func calculated(_ text: some StringProtocol) throws(ReadingError) -> [Token] {
        var tokenizer = Tokenizer(scalars: Array(text.unicodeScalars), readsQuotes: true)
        return try tokenizer.run()
    }

    private init(scalars: [Unicode.Scalar], readsQuotes: Bool) {
        self.scalars = scalars
        self.readsQuotes = readsQuotes
    }

    private func peek(_ offset: Int = 0) -> Unicode.Scalar? {
        position + offset < scalars.count ? scalars[position + offset] : nil
    }

    private mutating func emit(_ kind: Token.Kind) {
        tokens.append(Token(kind: kind, isSpaced: sawSpace))
        sawSpace = false
    }

    private mutating func emit(_ symbols: Token.Symbol...) {
        for symbol in symbols { emit(.symbol(symbol)) }
    }

    private mutating func run() throws(ReadingError) -> [Token] {
        while let scalar = peek() {
            switch scalar {
            case "0"..."9": try number()
            case "." where peek(1).map(Self.isDigit) == true: try number()
            case "a"..."z", "A"..."Z": word()
            case "\\": try command()
            case "\"" where readsQuotes, "'" where readsQuotes: try quoted()
            case "\n", "\r", ";":
                position += 1
                emit(scalar == ";" ? .semicolon : .newline)
            case " ", "\t", "\u{A0}", "\u{2009}", "\u{202F}", "$", "`":
                position += 1
                sawSpace = true
            default: try symbol(scalar)
            }
        }
        return tokens
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
    }

    private mutating func digits() -> String {
        var text = ""
        while let scalar = peek(), Self.isDigit(scalar) {
            text.unicodeScalars.append(scalar)
            position += 1
        }
        return text
    }

    private mutating func number() throws(ReadingError) {
        var text = digits()
        // 1,000,000: groups of exactly three digits after a comma.
        let canGroup = (1...3).contains(text.count)
        while canGroup, isGroup() {
            position += 1
            text += digits()
        }
        if text.isEmpty { text = "0" }
        if peek() == ".", let next = peek(1), Self.isDigit(next) {
            position += 1
            text += "." + digits()
        }
        var exponent = 0
        if peek() == "e" || peek() == "E" {
            let sign = peek(1) == "-" ? -1 : 1
            let start = peek(1) == "-" || peek(1) == "+" ? 2 : 1
            if let first = peek(start), Self.isDigit(first) {
                position += start
                guard let value = Int(digits()), value <= 1_000_000_000 else { throw .tooLarge }
                exponent = sign * value
            }
        }
        let leading = text.prefix { $0 == "0" }.count
        if leading > 0 {
            text.removeFirst(leading)
            if text.isEmpty || text.first == "." { text = "0" + text }
        }
        guard readsQuotes || (text.count <= 100 && abs(exponent) <= 300) else { throw .tooLarge }
        emit(.number(DecimalNumber(digits: text, exponent: exponent)))
    }

    /// True at `,ddd` that is not followed by a further digit; never inside parentheses, where a comma separates.
    private func isGroup() -> Bool {
        guard !readsQuotes, peek() == ",", !tokens.contains(where: { $0.is(.open) }) else { return false }
        for offset in 1...3 {
            guard let scalar = peek(offset), Self.isDigit(scalar) else { return false }
        }
        return peek(4).map(Self.isDigit) != true
    }

    private mutating func word() {
        var text = ""
        while let scalar = peek() {
            if Self.isLetter(scalar) {
                text.unicodeScalars.append(scalar)
            } else if scalar == "'" || scalar == "\u{2019}", !readsQuotes, let next = peek(1), Self.isLetter(next) {
                // what's
            } else {
                break
            }
            position += 1
        }
        // log10 and log2 carry their base in the name.
        if text.lowercased() == "log", peek() == "1", peek(1) == "0" { position += 2 }
        emit(.word(text))
    }

    private mutating func quoted() throws(ReadingError) {
        guard let letter = peek(1), Self.isLetter(letter), peek(2) == peek() else { throw .unexpectedCharacter }
        position += 3
        emit(.quoted(Variable(letter: Character(letter))))
    }

    /// LaTeX commands: spacing and sizing vanish, known names become tokens.
    private mutating func command() throws(ReadingError) {
        position += 1
        guard let first = peek() else { throw .unexpectedCharacter }
        if "(),;:![] \\".unicodeScalars.contains(first) {
            position += 1
            sawSpace = true
            if first == "\\" { emit(.newline) }
            return
        }
        var name = ""
        while let scalar = peek(), Self.isLetter(scalar) {
            name.unicodeScalars.append(scalar)
            position += 1
        }
        switch name {
        case "left", "right", "displaystyle", "quad", "big", "Big", "limits", "mathrm", "text", "operatorname":
            sawSpace = true
        case "cdot", "times", "ast": emit(.times)
        case "div": emit(.slash)
        case "le", "leq": emit(.lessOrEqual)
        case "ge", "geq": emit(.greaterOrEqual)
        case "lt": emit(.less)
        case "gt": emit(.greater)
        case "to", "rightarrow": emit(.arrow)
        case "int": emit(.integral)
        case "circ": emit(.degree)
        case "infty": emit(.word("infinity"))
        case "pi": emit(.word("pi"))
        case "frac", "dfrac", "tfrac": emit(.command("frac"))
        case "sqrt": emit(.command("sqrt"))
        case "lim": emit(.word("lim"))
        default:
            guard Function.typed(name) != nil else { throw .unexpectedCharacter }
            emit(.word(name))
        }
    }

    private mutating func symbol(_ scalar: Unicode.Scalar) throws(ReadingError) {
        position += 1
        if try symbolOfTwo(scalar) { return }
        switch scalar {
        case "+": emit(.plus)
        case "-", "−", "–", "—": emit(.minus)
        case "*", "×", "·", "∙", "⋅": emit(.times)
        case "/", "÷", "∕": emit(.slash)
        case "^": emit(.caret)
        case "(", "[": emit(.open)
        case ")", "]": emit(.close)
        case "{": emit(.openBrace)
        case "}": emit(.closeBrace)
        case "|": emit(.bar)
        case "=": emit(.equal)
        case "<": emit(.less)
        case ">": emit(.greater)
        case "≤": emit(.lessOrEqual)
        case "≥": emit(.greaterOrEqual)
        case "≠": emit(.notEqual)
        case ",": emit(.comma)
        case ":": emit(.colon)
        case "%": emit(.percent)
        case "!": emit(.factorial)
        case "_": emit(.underscore)
        case ".": emit(.full)
        case "?": emit(.question)
        case "→": emit(.arrow)
        case "∫": emit(.integral)
        case "°": degree()
        case "℃": emit(.word("degc"))
        case "℉": emit(.word("degf"))
        case "√": emit(.word("sqrt"))
        case "∛": emit(.word("cbrt"))
        case "π": emit(.word("pi"))
        case "∞": emit(.word("infinity"))
        case "½": half(1, 2)
        case "¼": half(1, 4)
        case "¾": half(3, 4)
        case "µ", "μ": try micro()
        default: try superscript(scalar)
        }
    }

    private mutating func symbolOfTwo(_ scalar: Unicode.Scalar) throws(ReadingError) -> Bool {
        let pair: Token.Symbol
        switch (scalar, peek()) {
        case ("*", "*"): pair = .caret
        case ("<", "="): pair = .lessOrEqual
        case (">", "="): pair = .greaterOrEqual
        case ("=", "="): pair = .equal
        case ("!", "="): pair = .notEqual
        case ("-", ">"): pair = .arrow
        case ("=", ">"): pair = .arrow
        default: return false
        }
        position += 1
        emit(pair)
        return true
    }

    private mutating func degree() {
        let next = peek()
        if next == "C" || next == "F", peek(1).map(Self.isLetter) != true {
            position += 1
            emit(.word(next == "C" ? "degc" : "degf"))
        } else {
            emit(.degree)
        }
    }

    private mutating func half(_ above: Int, _ below: Int) {
        let number = { (value: Int) in Token.Kind.number(DecimalNumber(digits: String(value))) }
        emit(.open)
        emit(number(above))
        emit(.slash)
        emit(number(below))
        emit(.close)
    }

    private mutating func micro() throws(ReadingError) {
        guard peek() == "m", peek(1).map(Self.isLetter) != true else { throw .unexpectedCharacter }
        position += 1
        emit(.word("um"))
    }

    private mutating func superscript(_ first: Unicode.Scalar) throws(ReadingError) {
        let digits: [Unicode.Scalar] = ["⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"]
        var text = ""
        var scalar: Unicode.Scalar? = first
        let isNegative = first == "⁻"
        if isNegative {
            scalar = peek()
            position += 1
        }
        while let current = scalar, let digit = digits.firstIndex(of: current) {
            text += String(digit)
            scalar = peek()
            position += 1
        }
        position = min(position, scalars.count + 1) - 1
        guard !text.isEmpty, text.count <= 6 else { throw .unexpectedCharacter }
        if isNegative { emit(.caret, .minus) } else { emit(.caret) }
        emit(.number(DecimalNumber(digits: text)))
    }
}
