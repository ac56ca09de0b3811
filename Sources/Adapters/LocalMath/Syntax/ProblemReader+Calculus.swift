extension ProblemReader {
    private static let orders = ["first", "second", "third", "fourth", "fifth"]

    mutating func derivative() throws(ReadingError) -> Problem? {
        var order = 1
        let start = tokens
        if let place = Self.orders.firstIndex(where: { $0 == word() }) {
            tokens.removeFirst()
            order = place + 1
        }
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

    mutating func integral() throws(ReadingError) -> Problem? {
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
    mutating func limit() throws(ReadingError) -> Problem {
        skipFillers()
        if tokens.first?.is(.underscore) == true || tokens.dropFirst().first.map(isApproach) == true {
            return try limitInFront()
        }
        guard let place = cut("as") else { throw .incomplete }
        guard let name = place.first, case .word(let letters) = name.kind, letters.count == 1,
            let letter = letters.first,
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
