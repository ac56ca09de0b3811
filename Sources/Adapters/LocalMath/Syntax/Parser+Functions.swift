extension Parser {
    /// How far a sum or product may count.
    static let termsMax = 10_000

    /// A function after its name: `sin(x)`, `sin x`, `sin^2 x`, `sin^-1(x)`, `log_2(8)`, `log(8, 2)`.
    mutating func call(_ function: Function) throws(ReadingError) -> Expression {
        var function = function
        var power: Expression?
        var base: Expression?
        if function == .log10, take(.underscore) {
            base = next?.is(.openBrace) == true ? try braced() : try subscriptBase()
        }
        if function == .log10, let number = next, !number.isSpaced, case .number(let digits) = number.kind,
            position + 1 < tokens.count, tokens[position + 1].is(.open), !tokens[position + 1].isSpaced
        {
            position += 1  // log2(8)
            base = .number(digits)
        }
        if next?.is(.caret) == true, function.arity == 1...1 {
            position += 1
            let exponent = try functionPower()
            if exponent == .negative(.number(1)), let inverse = function.inverse {
                function = inverse
            } else {
                power = exponent
            }
        }
        var values = try arguments(function == .log10 ? 1...2 : function.arity)
        if function == .log10, values.count == 2 {
            base = values.removeLast()
        }
        let value: Expression
        if let base { value = .function(.log, [values[0], base]) } else { value = .function(function, values) }
        try Self.check(function, values)
        return power.map { value ^ $0 } ?? value
    }

    private mutating func subscriptBase() throws(ReadingError) -> Expression {
        guard let token = next else { throw .incomplete }
        position += 1
        switch token.kind {
        case .number(let number): return .number(number)
        case .word("e"): return .constant(.e)
        case .word, .command, .quoted, .symbol: throw .unexpected(token.shown)
        }
    }

    /// The exponent between a function's name and its argument: a number, maybe signed, or a group.
    private mutating func functionPower() throws(ReadingError) -> Expression {
        if next?.is(.openBrace) == true { return try braced() }
        if take(.open) {
            let inner = try sum()
            try expect(.close)
            return inner
        }
        let isNegative = take(.minus)
        guard let token = next else { throw .incomplete }
        guard case .number(let number) = token.kind else { throw .unexpected(token.shown) }
        position += 1
        return isNegative ? .negative(.number(number)) : .number(number)
    }

    /// Arguments in parentheses or, for one argument, the product that follows.
    mutating func arguments(_ arity: ClosedRange<Int>) throws(ReadingError) -> [Expression] {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else { throw .tooDeep }
        guard next?.is(.open) == true else {
            guard arity.contains(1) else { throw .unexpected(next?.shown ?? "the end") }
            if next?.is(.openBrace) == true { return [try braced()] }
            return [try bareArgument()]
        }
        position += 1
        var values = [try sum()]
        while take(.comma) || take(.semicolon) { values.append(try sum()) }
        try expect(.close)
        guard arity.contains(values.count) else { throw .incomplete }
        return values
    }

    /// `sin 2x`: factors side by side, up to an operator or the next function.
    private mutating func bareArgument() throws(ReadingError) -> Expression {
        let isNegative = take(.minus)
        var value = try power()
        while let token = next {
            switch token.kind {
            case .word(let word) where Function.typed(word) == nil && word.count == 1 && vocabulary == .algebra:
                value = value * (try power())
            case .word("pi"): value = value * (try power())
            case .symbol(.open) where !token.isSpaced: value = value * (try power())
            case .number, .word, .command, .quoted, .symbol: return isNegative ? .negative(value) : value
            }
        }
        return isNegative ? .negative(value) : value
    }

    /// Keeps sums and products short and their index a variable.
    private static func check(_ function: Function, _ values: [Expression]) throws(ReadingError) {
        guard function.bindsVariable else { return }
        guard values.count == 4, case .variable = values[1] else { throw .incomplete }
        guard let first = values[2].smallInteger, let last = values[3].smallInteger else { throw .incomplete }
        guard last >= first, last - first <= termsMax else { throw .tooLarge }
    }
}

extension Expression {
    /// The value of a literal whole number, maybe negative, of at most 18 digits.
    var smallInteger: Int? {
        switch self {
        case .number(let number): number.integer
        case .negative(let inner): inner.smallInteger.map { -$0 }
        case .constant, .variable, .unit, .operation, .function, .factorial: nil
        }
    }
}
