/// Finds out what a text asks for: request words around expressions.
///
/// The words only choose a case of ``Problem``; what is between them must be an expression to the last token.
struct ProblemReader {
    static let unknownsMax = 4

    var tokens: ArraySlice<Token>

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

    func word(_ offset: Int = 0) -> String? {
        tokens.count > offset ? tokens[tokens.startIndex + offset].word : nil
    }

    mutating func skipFillers() {
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
            if ["decimal", "number", "fraction"].contains(last.word),
                let link = tokens.lastIndex(where: { token in
                    ["to", "as", "into", "in"].contains(token.word)
                }), link > tokens.startIndex, tokens.endIndex - link <= 4
            {
                tokens = tokens[..<link]
                continue
            }
            guard isPolite || isMark || (last.is(.equal) && !tokens.dropLast().contains { $0.is(.equal) }) else {
                break
            }
            tokens.removeLast()
        }
    }

    mutating func take(_ words: String...) -> Bool {
        guard let word = word(), words.contains(word) else { return false }
        tokens.removeFirst()
        return true
    }

    /// Splits at the last occurrence of the sequence `words`; returns the part behind it.
    mutating func cut(_ words: String...) -> ArraySlice<Token>? {
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
        if word() != "solve", let asked = cut("solve", "for") { return try solve(asked: try letters(asked)) }
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
        if Self.withoutFunctionName(tokens).count < tokens.count, tokens.first?.word != "y" {
            return .evaluate(try expression(tokens))
        }
        if tokens.contains(where: isRelationSign) || isUnknownAsked { return try solve() }
        return .evaluate(try expression(tokens))
    }

    func isRelationSign(_ token: Token) -> Bool {
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

    /// Without a `f(x) =` or `y =` in front.
    private static func withoutFunctionName(_ tokens: ArraySlice<Token>) -> ArraySlice<Token> {
        let start = Array(tokens.prefix(5))
        if start.count == 5, ["f", "g", "h"].contains(start[0].word), start[1].is(.open), start[2].word?.count == 1,
            start[3].is(.close), start[4].is(.equal)
        {
            return tokens.dropFirst(5)
        }
        if start.count > 2, start[0].word == "y", start[1].is(.equal) { return tokens.dropFirst(2) }
        return tokens
    }

    func expression(_ tokens: ArraySlice<Token>) throws(ReadingError) -> Expression {
        let expression = try Parser.expression(Self.withoutFunctionName(tokens), vocabulary: .algebra)
        try Magnitude.check(expression)
        return expression
    }

    // MARK: Equations

    private mutating func solve(asked given: [Variable] = []) throws(ReadingError) -> Problem {
        skipFillers()
        var asked = given.isEmpty ? try unknownsInFront() : given
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
        guard tokens.count > 2,
            ["if", "when", "where", "in"].contains(word(1)) || tokens[tokens.startIndex + 1].is(.colon)
        else { return [] }
        tokens.removeFirst(2)
        return [Variable(letter: letter)]
    }

    func letters(_ tokens: ArraySlice<Token>) throws(ReadingError) -> [Variable] {
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
        if variables.count == 1, let unknown = variables.first,
            relations.allSatisfy({ $0.comparison != .equal && $0.comparison != .notEqual })
        {
            return .inequalities(relations, for: unknown)
        }
        guard relations.allSatisfy({ $0.comparison == .equal }) else { throw .severalInequalities }
        guard unknowns.count == relations.count else { throw .incomplete }
        return .system(relations, for: unknowns)
    }
}
