/// Finds out what a text asks for: request words around expressions.
///
/// The words only choose a case of ``Problem``; what is between them must be an expression to the last token.
struct ProblemReader {
    static let unknownsMax = 4

    private var tokens: ArraySlice<Token>

    static func read(_ text: String) throws(ReadingError) -> Problem {
        var reader = ProblemReader(tokens: try Tokenizer.typed(text)[...])
        return try reader.problem()
    }

    private init(tokens: ArraySlice<Token>) { self.tokens = tokens }

    // MARK: Words

    private static let fillers: Set<String> = [
        "please", "can", "could", "would", "you", "me", "help", "what", "whats", "is", "are", "the", "value", "of",
        "find", "calculate", "compute", "evaluate", "determine", "work", "out", "how", "much", "many", "result", "give",
        "answer", "tell", "show", "hi", "hello", "now", "then", "equation", "equations", "inequality", "system", "for",
        "following", "expression", "this", "my", "number", "be", "let", "us", "lets", "question", "calc", "eval",
        "exactly", "integral_", "function", "polynomial", "simultaneous", "linear", "quadratic",
    ]

    private func word(_ offset: Int = 0) -> String? {
        tokens.count > offset ? tokens[tokens.startIndex + offset].word : nil
    }

    private mutating func skipFillers() {
        while let first = tokens.first {
            if let word = first.word, Self.fillers.contains(word) {
                tokens.removeFirst()
            } else if first.is(.colon) || first.is(.newline) || first.is(.comma) {
                tokens.removeFirst()
            } else {
                break
            }
        }
        while let last = tokens.last {
            let isPolite = ["please", "thanks", "equal", "equals"].contains(last.word)
            let isMark = [.question, .full, .newline, .semicolon, .comma, .colon].contains { last.is($0) }
            if ["decimal", "number", "fraction"].contains(last.word), let link = tokens.lastIndex(where: { token in
                ["to", "as", "into", "in"].contains(token.word)
            }), link > tokens.startIndex, tokens.endIndex - link <= 4 {
                tokens = tokens[..<link]
                continue
            }
            guard isPolite || isMark || (last.is(.equal) && !tokens.dropLast().contains { $0.is(.equal) }) else { break }
            tokens.removeLast()
        }
    }

    private mutating func take(_ words: String...) -> Bool {
        guard let word = word(), words.contains(word) else { return false }
        tokens.removeFirst()
        return true
    }

    /// Cuts at the last place where `words` stand in a row; returns what is behind them.
    private mutating func cut(_ words: String...) -> ArraySlice<Token>? {
        guard tokens.count > words.count else { return nil }
        for start in stride(from: tokens.endIndex - words.count - 1, through: tokens.startIndex, by: -1)
        where zip(words, tokens[start...]).allSatisfy({ $0 == $1.word }) {
            let rest = tokens[(start + words.count)...]
            tokens = tokens[..<start]
            return rest
        }
        return nil
    }

    // MARK: Requests

    private mutating func problem() throws(ReadingError) -> Problem {
        skipFillers()
        spellOut()
        guard !tokens.isEmpty else { throw .incomplete }
        if take("solve") || take("roots", "zeros", "zeroes", "solutions", "root") { return try solve() }
        if take("simplify", "reduce") {
            skipFillers()
            return .evaluate(try expression(tokens))
        }
        if take("expand") {
            skipFillers()
            return .expand(try expression(tokens))
        }
        if take("factor", "factorise", "factorize") || (word() == "prime" && word(1) == "factors") {
            _ = take("prime")
            _ = take("factors")
            skipFillers()
            return .factor(try expression(tokens))
        }
        if let derivative = try derivative() { return derivative }
        if let integral = try integral() { return integral }
        if take("limit", "lim") { return try limit() }
        if take("convert", "change") { return try conversion(isAsked: true) }
        if isAboutUnits { return try conversion(isAsked: false) }
        if tokens.contains(where: isRelationSign) || isUnknownAsked { return try solve() }
        return .evaluate(try expression(tokens))
    }

    private func isRelationSign(_ token: Token) -> Bool {
        [.equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual].contains { token.is($0) }
    }

    /// `x if 2x = 4`, `x: 2x = 4`, `x when …`.
    private var isUnknownAsked: Bool {
        tokens.count > 2 && (word()?.count == 1) && ["if", "when", "where", "in"].contains(word(1))
    }

    /// Spoken operators become signs.
    private mutating func spellOut() {
        var signs: [Token] = []
        var rest = tokens
        while let token = rest.popFirst() {
            let next = rest.first?.word
            switch token.word {
            case "plus": signs.append(sign(.plus))
            case "minus": signs.append(sign(.minus))
            case "times": signs.append(sign(.times))
            case "multiplied" where next == "by", "divided" where next == "by":
                rest.removeFirst()
                signs.append(sign(token.word == "divided" ? .slash : .times))
            case "over": signs.append(sign(.slash))
            case "equals", "equal": signs.append(sign(.equal))
            case "squared", "cubed":
                signs.append(sign(.caret))
                let power = DecimalNumber(digits: token.word == "squared" ? "2" : "3")
                signs.append(Token(kind: .number(power), isSpaced: false))
            case "percent": signs.append(sign(.percent))
            default: signs.append(token)
            }
        }
        tokens = signs[...]
    }

    private func sign(_ symbol: Token.Symbol) -> Token { Token(kind: .symbol(symbol), isSpaced: true) }

    private func expression(_ tokens: ArraySlice<Token>) throws(ReadingError) -> Expression {
        let expression = try Parser.expression(tokens, vocabulary: .algebra)
        try Magnitude.check(expression)
        return expression
    }

    // MARK: Equations

    private mutating func solve() throws(ReadingError) -> Problem {
        skipFillers()
        var asked = try unknownsInFront()
        if let behind = cut("for") { asked = try letters(behind) }
        let parts = tokens.split { token in
            token.is(.comma) || token.is(.semicolon) || token.is(.newline) || token.word == "and"
        }
        guard !parts.isEmpty, parts.count <= Self.unknownsMax else { throw parts.isEmpty ? .incomplete : .tooLarge }
        var relations: [Relation] = []
        for part in parts {
            let (first, chain) = try Parser.relations(part, vocabulary: .algebra)
            relations += chain.isEmpty ? [Relation(left: first, comparison: .equal, right: .number(0))] : chain
        }
        for relation in relations {
            try Magnitude.check(relation.left)
            try Magnitude.check(relation.right)
        }
        return try Self.problem(relations, asked: asked)
    }

    /// `x if …` or `for x: …`.
    private mutating func unknownsInFront() throws(ReadingError) -> [Variable] {
        guard let first = tokens.first, case .word(let name) = first.kind, name.count == 1, let letter = name.first
        else { return [] }
        guard tokens.count > 2, ["if", "when", "where", "in"].contains(word(1)) || tokens[tokens.startIndex + 1].is(.colon)
        else { return [] }
        tokens.removeFirst(2)
        return [Variable(letter: letter)]
    }

    private func letters(_ tokens: ArraySlice<Token>) throws(ReadingError) -> [Variable] {
        var letters: [Variable] = []
        for token in tokens {
            switch token.kind {
            case .word(let name) where name.count == 1:
                guard let letter = name.first, letter != "e", letter != "i" else { throw .unexpected(name) }
                letters.append(Variable(letter: letter))
            case .word("and"), .symbol(.comma): break
            case .word, .number, .command, .quoted, .symbol: throw .unexpected(token.shown)
            }
        }
        guard !letters.isEmpty, letters.count <= Self.unknownsMax else { throw .incomplete }
        return letters
    }

    /// Chooses the unknowns: those asked for, else `x`, `y`, `z`, else the only ones there are.
    private static func problem(_ relations: [Relation], asked: [Variable]) throws(ReadingError) -> Problem {
        let variables = relations.reduce(into: Set<Variable>()) { $0.formUnion($1.variables) }
        if variables.isEmpty, relations.count == 1 { return .compare(relations[0]) }
        var unknowns = asked
        if unknowns.isEmpty {
            let usual = variables.filter { "xyz".contains($0.letter) }.sorted()
            unknowns = variables.count == relations.count ? variables.sorted() : usual
            if relations.count == 1 { unknowns = Array((usual.isEmpty ? variables.sorted() : usual).prefix(1)) }
        }
        guard unknowns.allSatisfy(variables.contains) else { throw .incomplete }
        if relations.count == 1 {
            guard let unknown = unknowns.first, unknowns.count == 1 else { throw .incomplete }
            return .solve(relations[0], for: unknown)
        }
        guard relations.allSatisfy({ $0.comparison == .equal }) else { throw .severalInequalities }
        guard unknowns.count == relations.count else { throw .incomplete }
        return .system(relations, for: unknowns)
    }

    // MARK: Calculus

    private mutating func derivative() throws(ReadingError) -> Problem? {
        var order = 1
        let start = tokens
        if take("first") { order = 1 } else if take("second") { order = 2 } else if take("third") { order = 3 }
        if take("derivative", "differentiate", "derive", "diff") {
            skipFillers()
            let variable = try differentiationVariable()
            let inner = try expression(tokens)
            return .derivative(inner, by: Self.variable(variable, in: inner), order: order)
        }
        tokens = start
        return try leibniz()
    }

    /// `d/dx f`, `\frac{d}{dx} f`.
    private mutating func leibniz() throws(ReadingError) -> Problem? {
        let signs = tokens.prefix(9).filter { token in
            !token.is(.openBrace) && !token.is(.closeBrace) && !token.is(.slash) && token.kind != .command("frac")
        }
        guard signs.count >= 2, let top = signs.first?.word, top == "d", let below = signs.dropFirst().first?.word,
            below.count == 2, below.first == "d", let letter = below.last,
            let end = tokens.prefix(8).firstIndex(where: { $0.word == below }), end - tokens.startIndex <= 5
        else { return nil }
        tokens = tokens[(end + 1)...]
        while tokens.first?.is(.closeBrace) == true { tokens.removeFirst() }
        return .derivative(try expression(tokens), by: Variable(letter: letter), order: 1)
    }

    private mutating func differentiationVariable() throws(ReadingError) -> Variable? {
        if let behind = cut("with", "respect", "to") ?? cut("wrt") { return try letters(behind).first }
        return nil
    }

    private static func variable(_ asked: Variable?, in expression: Expression) -> Variable {
        let free = expression.freeVariables.sorted()
        return asked ?? (free.contains(.x) ? .x : free.first ?? .x)
    }

    private mutating func integral() throws(ReadingError) -> Problem? {
        let isDefiniteWord = word() == "definite" || word() == "indefinite"
        if isDefiniteWord { tokens.removeFirst() }
        guard take("integrate", "integral", "antiderivative", "int") || takeIntegralSign() else {
            if isDefiniteWord { throw .incomplete }
            return nil
        }
        var bounds = try subscriptBounds()
        skipFillers()
        let asked = try differentiationVariable()
        if let to = cut("to") ?? cutLastAnd() {
            guard let from = cut("from") ?? cut("between") else { throw .incomplete }
            bounds = Problem.Bounds(from: try boundary(from), to: try boundary(to))
        }
        let differential = takeDifferential()
        let inner = try expression(tokens)
        return .integral(inner, by: Self.variable(asked ?? differential, in: inner), bounds: bounds)
    }

    private mutating func takeIntegralSign() -> Bool {
        guard tokens.first?.is(.integral) == true else { return false }
        tokens.removeFirst()
        return true
    }

    private mutating func cutLastAnd() -> ArraySlice<Token>? {
        tokens.contains { $0.word == "between" } ? cut("and") : nil
    }

    /// `_0^1` or `_{0}^{\pi}` right after an integral sign.
    private mutating func subscriptBounds() throws(ReadingError) -> Problem.Bounds? {
        guard tokens.first?.is(.underscore) == true else { return nil }
        var parser = Parser(Array(tokens.dropFirst()), vocabulary: .algebra)
        let from = try parser.boundary()
        try parser.expect(.caret)
        let to = try parser.boundary()
        tokens = parser.tokens[parser.position...]
        return Problem.Bounds(from: from, to: to)
    }

    private func boundary(_ tokens: ArraySlice<Token>) throws(ReadingError) -> Expression {
        // "from x = 0 to 1"
        if let sign = tokens.firstIndex(where: { $0.is(.equal) }) { return try expression(tokens[(sign + 1)...]) }
        return try expression(tokens)
    }

    /// `dx` at the end.
    private mutating func takeDifferential() -> Variable? {
        guard tokens.count > 1, case .word(let name)? = tokens.last?.kind, name.count == 2, name.first == "d",
            let letter = name.last
        else { return nil }
        tokens.removeLast()
        return Variable(letter: letter)
    }

    /// `limit of f as x -> a`, `lim x->0 f`, `\lim_{x \to 0} f`.
    private mutating func limit() throws(ReadingError) -> Problem {
        skipFillers()
        if tokens.first?.is(.underscore) == true || tokens.dropFirst().first.map(isApproach) == true {
            return try limitInFront()
        }
        guard let place = cut("as") else { throw .incomplete }
        guard let name = place.first, case .word(let letters) = name.kind, letters.count == 1, let letter = letters.first,
            let sign = place.dropFirst().first, isApproach(sign)
        else { throw .incomplete }
        let rest = place.dropFirst(sign.word == "goes" || sign.word == "tends" ? 3 : 2)
        return .limit(try expression(tokens), of: Variable(letter: letter), at: try expression(rest))
    }

    private func isApproach(_ token: Token) -> Bool {
        token.is(.arrow) || ["to", "approaches", "goes", "tends"].contains(token.word)
    }

    private mutating func limitInFront() throws(ReadingError) -> Problem {
        if tokens.first?.is(.underscore) == true { tokens.removeFirst() }
        let isBraced = tokens.first?.is(.openBrace) == true
        if isBraced { tokens.removeFirst() }
        guard case .word(let name)? = tokens.first?.kind, name.count == 1, let letter = name.first else {
            throw .incomplete
        }
        guard let sign = tokens.dropFirst().first, isApproach(sign) else { throw .incomplete }
        var parser = Parser(Array(tokens.dropFirst(2)), vocabulary: .algebra)
        let place = isBraced ? try parser.sum() : try parser.boundary()
        if isBraced { try parser.expect(.closeBrace) }
        tokens = parser.tokens[parser.position...]
        skipFillers()
        return .limit(try expression(tokens), of: Variable(letter: letter), at: place)
    }

    // MARK: Units

    private var isAboutUnits: Bool {
        guard !tokens.contains(where: isRelationSign) else { return false }
        if tokens.contains(where: { ["to", "in", "into"].contains($0.word) || $0.is(.arrow) }), tokens.count > 3,
            case .word(let word)? = tokens.last?.kind, Unit.typed(word) != nil
        {
            return true
        }
        return isOfPlainUnits || tokens.contains { token in
            guard case .word(let word) = token.kind else { return false }
            return Unit.isTelling(word)
        }
    }

    /// `100 m / 9.58 s`: every number has a unit of one letter behind a space, and there are no other letters.
    private var isOfPlainUnits: Bool {
        var hasNumber = false
        for (place, token) in zip(tokens.indices, tokens) {
            switch token.kind {
            case .word(let word):
                guard word.count == 1, ["m", "s", "g", "h", "L", "N", "J", "W", "V", "A", "K"].contains(word) else {
                    return false
                }
            case .number where place > tokens.startIndex && tokens[place - 1].is(.caret): break
            case .number:
                guard place + 1 < tokens.endIndex, tokens[place + 1].isSpaced, tokens[place + 1].word != nil else {
                    return false
                }
                hasNumber = true
            case .command, .quoted: return false
            case .symbol: break
            }
        }
        return hasNumber
    }

    private mutating func conversion(isAsked: Bool) throws(ReadingError) -> Problem {
        skipFillers()
        // "how many cm in 2 m"
        let target = cut("to") ?? cut("into") ?? cutArrow() ?? cut("in") ?? cut("as")
        if let target, target.contains(where: { if case .number = $0.kind { !$0.is(.caret) } else { false } }), !isAsked,
            !tokens.contains(where: { if case .number = $0.kind { true } else { false } })
        {
            return .convert(try quantity(target), to: try quantity(tokens))
        }
        let value = try quantity(tokens)
        guard value.hasUnits else { throw .incomplete }
        return .convert(value, to: try target.map { (tokens) throws(ReadingError) in try quantity(tokens) })
    }

    private mutating func cutArrow() -> ArraySlice<Token>? {
        guard let arrow = tokens.lastIndex(where: { $0.is(.arrow) }) else { return nil }
        let rest = tokens[(arrow + 1)...]
        tokens = tokens[..<arrow]
        return rest
    }

    private func quantity(_ tokens: ArraySlice<Token>) throws(ReadingError) -> Expression {
        let expression = try Parser.expression(tokens, vocabulary: .units)
        try Magnitude.check(expression)
        return expression
    }
}

extension Parser {
    /// A bound of an integral or the place of a limit: a group in braces or one signed factor.
    mutating func boundary() throws(ReadingError) -> Expression {
        if next?.is(.openBrace) == true { return try braced() }
        if take(.minus) { return .negative(try boundary()) }
        guard let token = next else { throw .incomplete }
        switch token.kind {
        case .number(let number):
            position += 1
            return .number(number)
        case .word("pi"):
            position += 1
            return .constant(.pi)
        case .word("infinity"), .word("inf"):
            position += 1
            return .constant(.infinity)
        case .word("e"):
            position += 1
            return .constant(.e)
        case .symbol(.open):
            position += 1
            let inner = try sum()
            try expect(.close)
            return inner
        case .word(let word) where word.count == 1:
            position += 1
            guard let letter = word.first else { throw .incomplete }
            return .variable(Variable(letter: letter))
        case .word, .command, .quoted, .symbol: throw .unexpected(token.shown)
        }
    }
}
