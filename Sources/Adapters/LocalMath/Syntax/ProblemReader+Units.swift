extension ProblemReader {
    var isAboutUnits: Bool {
        guard !tokens.contains(where: isRelationSign) else { return false }
        if tokens.contains(where: { ["to", "in", "into"].contains($0.word) || $0.is(.arrow) }), tokens.count > 3,
            case .word(let word)? = tokens.last?.kind, Unit.typed(word) != nil
        {
            return true
        }
        return isOfPlainUnits
            || tokens.contains { token in
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

    mutating func conversion(isAsked: Bool) throws(ReadingError) -> Problem {
        skipFillers()
        // "how many cm in 2 m"
        let target = cut("to") ?? cut("into") ?? cutArrow() ?? cut("in") ?? cut("as")
        if let target, target.contains(where: { if case .number = $0.kind { !$0.is(.caret) } else { false } }),
            !isAsked,
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
