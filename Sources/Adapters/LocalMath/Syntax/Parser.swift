/// Reads tokens into an expression by recursive descent.
///
/// ```
///  relation := sum (comparison sum)*
///  sum      := ['+' | '-'] product (('+' | '-') product)*
///  product  := power (('*' | '/' | nothing) power)*
///  power    := postfix ['^' signed power]
///  postfix  := primary ('!' | '%' | '°')*
///  primary  := number | constant | variable | unit | function | '(' sum ')' | '|' sum '|' | LaTeX
/// ```
/// Multiplication by standing side by side binds like `*`.
struct Parser {
    /// What a run of letters may mean.
    enum Vocabulary: Sendable {
        /// Variables, functions, constants.
        case algebra
        /// Units, functions, constants; no variables.
        case units
        /// The calculator's own names; unknowns come in quotation marks.
        case calculator
    }

    static let depthMax = 64

    let vocabulary: Vocabulary
    let tokens: [Token]
    var position = 0
    var depth = 0
    private var openBars = 0

    init(_ tokens: [Token], vocabulary: Vocabulary) {
        self.tokens = vocabulary == .algebra ? tokens.flatMap(Self.split) : tokens
        self.vocabulary = vocabulary
    }

    /// Reads all tokens as one expression.
    static func expression(
        _ tokens: some Collection<Token>,
        vocabulary: Vocabulary,
    ) throws(ReadingError) -> Expression {
        var parser = Parser(Array(tokens), vocabulary: vocabulary)
        let expression = try parser.sum()
        try parser.expectEnd()
        return expression
    }

    /// Reads all tokens as one relation or a chain such as `-2 < x < 2`; an expression alone is an empty list.
    static func relations(
        _ tokens: some Collection<Token>,
        vocabulary: Vocabulary,
    ) throws(ReadingError) -> (first: Expression, relations: [Relation]) {
        var parser = Parser(Array(tokens), vocabulary: vocabulary)
        let first = try parser.sum()
        var left = first
        var relations: [Relation] = []
        while let comparison = parser.comparison() {
            parser.position += 1
            let right = try parser.sum()
            relations.append(Relation(left: left, comparison: comparison, right: right))
            left = right
        }
        try parser.expectEnd()
        return (first, relations)
    }

    var next: Token? { position < tokens.count ? tokens[position] : nil }

    func expectEnd() throws(ReadingError) {
        if let next { throw .unexpected(next.shown) }
    }

    mutating func take(_ symbol: Token.Symbol) -> Bool {
        guard next?.is(symbol) == true else { return false }
        position += 1
        return true
    }

    mutating func expect(_ symbol: Token.Symbol) throws(ReadingError) {
        guard let found = next else { throw .incomplete }
        guard take(symbol) else { throw .unexpected(found.shown) }
    }

    private func comparison() -> Relation.Comparison? {
        guard case .symbol(let symbol)? = next?.kind else { return nil }
        return Relation.Comparison(rawValue: symbol.rawValue)
    }

    // MARK: Operators

    mutating func sum() throws(ReadingError) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else { throw .tooDeep }
        var left: Expression
        if take(.minus) {
            left = .negative(try product())
        } else {
            _ = take(.plus)
            left = try product()
        }
        while let sign = next, sign.is(.plus) || sign.is(.minus) {
            position += 1
            let sign: Expression.Operator = sign.is(.plus) ? .add : .subtract
            let start = position
            var right = try signedProduct()
            if position == start + 2, tokens[start + 1].is(.percent), case .number(let percent) = tokens[start].kind {
                // 50 + 20 %: twenty percent of the fifty, as on every pocket calculator.
                right = left * (.number(percent) / .number(100))
            }
            left = .operation(sign, left, right)
        }
        if vocabulary == .units, case .number? = next?.kind {
            left = left + (try sum())  // 5 ft 3 in
        }
        return left
    }

    private mutating func signedProduct() throws(ReadingError) -> Expression {
        if take(.minus) { return .negative(try product()) }
        _ = take(.plus)
        return try product()
    }

    private mutating func product() throws(ReadingError) -> Expression {
        var left = try power()
        while let token = next {
            if token.is(.times) || token.is(.slash) {
                position += 1
                let right = try signedPower()
                left = token.is(.times) ? left * right : left / right
            } else if startsFactor(token) {
                left = left * (try power())
            } else {
                break
            }
        }
        return left
    }

    /// A number and the units behind it belong together: `100 m / 9.58 s`, `72 km/h`.
    private mutating func quantity(_ number: DecimalNumber) throws(ReadingError) -> Expression {
        guard vocabulary == .units, isUnit(at: position) else { return .number(number) }
        var units = try power()
        while true {
            if isUnit(at: position) {
                units = units * (try power())
            } else if let sign = next, sign.is(.slash) || sign.is(.times), isUnit(at: position + 1) {
                position += 1
                units = sign.is(.slash) ? units / (try power()) : units * (try power())
            } else {
                return .number(number) * units
            }
        }
    }

    private func isUnit(at place: Int) -> Bool {
        guard place < tokens.count, case .word(let word) = tokens[place].kind else { return false }
        return Unit.typed(word) != nil
    }

    /// True if `token` may multiply the preceding factor without a sign.
    private func startsFactor(_ token: Token) -> Bool {
        switch token.kind {
        case .word(let word): !Self.isConnector(word) || vocabulary == .calculator
        case .command, .quoted: true
        case .number: position > 0 && tokens[position - 1].is(.close)
        case .symbol(let symbol): symbol == .open || (symbol == .bar && openBars == 0)
        }
    }

    /// Words that end an expression.
    private static func isConnector(_ word: String) -> Bool {
        ["to", "from", "and", "for", "with", "as", "of", "mod", "choose", "if", "when", "where"].contains(
            word.lowercased()
        )
    }

    private mutating func signedPower() throws(ReadingError) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else { throw .tooDeep }
        if take(.minus) { return .negative(try signedPower()) }
        if take(.plus) { return try signedPower() }
        return try power()
    }

    mutating func power() throws(ReadingError) -> Expression {
        let base = try postfix()
        if take(.caret) { return base ^ (try exponent()) }
        if next?.word == "mod", vocabulary == .algebra, tokens[position].isSpaced {
            position += 1
            return .function(.mod, [base, try signedPower()])
        }
        if next?.word == "choose", vocabulary == .algebra {
            position += 1
            return .function(.binomial, [base, try signedPower()])
        }
        return base
    }

    mutating func exponent() throws(ReadingError) -> Expression {
        if next?.is(.openBrace) == true { return try braced() }
        return try signedPower()
    }

    private mutating func postfix() throws(ReadingError) -> Expression {
        var value = try primary()
        while let token = next {
            if token.is(.factorial) {
                value = .factorial(value)
            } else if token.is(.percent) {
                value = value / .number(100)
                if position + 1 < tokens.count, tokens[position + 1].word == "of" {
                    position += 2
                    return value * (try power())
                }
            } else if token.is(.degree) {
                value = value * (.constant(.pi) / .number(180))
            } else {
                break
            }
            position += 1
        }
        return value
    }

    // MARK: Primaries

    private mutating func primary() throws(ReadingError) -> Expression {
        guard let token = next else { throw .incomplete }
        position += 1
        switch token.kind {
        case .number(let number): return try quantity(number)
        case .quoted(let variable): return .variable(variable)
        case .word(let word): return try self.word(word)
        case .command(let name): return try command(name)
        case .symbol(.open): return try closing(.close)
        case .symbol(.openBrace):
            position -= 1
            return try braced()
        case .symbol(.bar):
            openBars += 1
            let inner = try sum()
            openBars -= 1
            try expect(.bar)
            return .function(.abs, [inner])
        case .symbol(let symbol): throw .unexpected(symbol.rawValue)
        }
    }

    private mutating func closing(_ close: Token.Symbol) throws(ReadingError) -> Expression {
        let bars = openBars
        openBars = 0
        defer { openBars = bars }
        let inner = try sum()
        try expect(close)
        return inner
    }

    /// `{…}` of LaTeX.
    mutating func braced() throws(ReadingError) -> Expression {
        try expect(.openBrace)
        return try closing(.closeBrace)
    }

    private mutating func command(_ name: String) throws(ReadingError) -> Expression {
        guard name == "frac" else {
            guard next?.is(.openBrace) == true else {
                // \sqrt[3]{x}
                try expect(.open)
                let index = try closing(.close)
                return .function(.root, [try braced(), index])
            }
            return .function(.sqrt, [try braced()])
        }
        let above = try braced()
        return above / (try braced())
    }

    private mutating func word(_ word: String) throws(ReadingError) -> Expression {
        switch vocabulary {
        case .calculator: return try calculatorWord(word)
        case .algebra, .units: break
        }
        if let constant = Self.constants[word.lowercased()], word.count > 1 || word == word.lowercased() {
            if vocabulary == .algebra || word.count > 1 { return .constant(constant) }
        }
        if vocabulary == .units, let unit = Unit.typed(word), next?.is(.open) != true || word.count == 1 {
            return try raised(unit)
        }
        if word.lowercased() == "square" || word.lowercased() == "cube", next?.word == "root" {
            position += 1
            if next?.word == "of" { position += 1 }
            return .function(word.lowercased() == "square" ? .sqrt : .cbrt, [try signedPower()])
        }
        if word.lowercased() == "exp" { return .constant(.e) ^ (try arguments(1...1))[0] }
        if let function = Function.typed(word) { return try call(function) }
        guard vocabulary == .algebra else { throw .unknownWord(word) }
        return try letters(word)
    }

    private static let constants: [String: Expression.Constant] = [
        "pi": .pi, "e": .e, "i": .i, "infinity": .infinity, "inf": .infinity, "infty": .infinity,
    ]

    /// `m2` and `cm3` mean powers.
    private mutating func raised(_ unit: Unit) throws(ReadingError) -> Expression {
        guard let token = next, !token.isSpaced, case .number(let number) = token.kind, let power = number.integer,
            (2...3).contains(power)
        else { return .unit(unit) }
        position += 1
        return .unit(unit) ^ .number(power)
    }

    private mutating func calculatorWord(_ word: String) throws(ReadingError) -> Expression {
        if word == "C" { return .variable(.integrationConstant) }
        if word == "n" { return .variable(.anyInteger) }
        if let constant = Self.constants[word], word != "inf" { return .constant(constant) }
        if word == "factorial" { return .factorial(try arguments(1...1)[0]) }
        if let function = Function.calculated(word), next?.is(.open) == true { return try call(function) }
        if let unit = Unit.calculated(word) { return .unit(unit) }
        throw .unknownWord(word)
    }

    /// Cuts a run of letters that is no known name: a glued function (`sinx`) or a product of variables (`xy`).
    private static func split(_ token: Token) -> [Token] {
        guard case .word(let word) = token.kind, word.count > 1, constants[word.lowercased()] == nil,
            Function.typed(word) == nil
        else { return [token] }
        func pieces(_ words: [String]) -> [Token] {
            words.enumerated().map { Token(kind: .word($1), isSpaced: $0 == 0 && token.isSpaced) }
        }
        for name in Function.gluable where word.count == name.count + 1 && word.lowercased().hasPrefix(name) {
            return pieces([name, String(word.suffix(1))])
        }
        let isProduct: Bool
        switch word.count {
        case 2:
            // A word of its own, as in "divided by", is no product; in `ax+by` it is.
            let isWord = token.isSpaced && ["at", "an", "by", "my"].contains(word)
            isProduct = word.allSatisfy { "abcxyzmnpqkt".contains($0) } && !isWord
        case 3: isProduct = word.allSatisfy { "xyz".contains($0) } || word.allSatisfy { "abc".contains($0) }
        default: isProduct = false
        }
        return isProduct ? pieces(word.map { String($0) }) : [token]
    }

    private func letters(_ word: String) throws(ReadingError) -> Expression {
        guard word.count == 1, let letter = word.first else { throw .unknownWord(word) }
        if let token = next, !token.isSpaced, case .number(let number) = token.kind {
            throw .unexpected("\(word)\(number.digits)")
        }
        return try Self.letter(letter)
    }

    private static func letter(_ letter: Character) throws(ReadingError) -> Expression {
        if let constant = constants[String(letter)] { return .constant(constant) }
        return .variable(Variable(letter: letter))
    }
}
