/// What the calculator answered, read back into syntax trees.
enum CalculatorValue: Equatable {
    case expression(Expression)
    /// `[a  b]`
    case list([Expression])
    /// `[a  b; c  d]`, by rows.
    case table([[Expression]])
    /// Alternatives, each a chain of relations that hold together.
    case relations([[Relation]])
    /// An equation that is true for every value (`solve(1)`) or for none (`solve(0)`).
    case always
    case never
    /// The question came back: the calculator could not do it.
    case unsolved

    /// Longest answer worth showing, in characters.
    static let lengthMax = 6_000

    /// Reads one line of output.
    init(_ answer: String?) {
        guard let answer, answer.utf8.count <= Self.lengthMax else {
            self = .unsolved
            return
        }
        self = (try? Self.read(answer[...])) ?? .unsolved
    }

    /// The answer if it is a single expression.
    static func expression(_ answer: String?) -> Expression? {
        if case .expression(let value) = CalculatorValue(answer) { value } else { nil }
    }

    private static func read(_ text: Substring) throws(ReadingError) -> CalculatorValue {
        if text == "solve(0)" || text.hasPrefix("solve(0, ") { return .never }
        if text == "solve(1)" || text.hasPrefix("solve(1, ") { return .always }
        for question in ["solve(", "multisolve(", "integrate(", "diff(", "limit(", "factorize(", "expand(", "("]
        where text.hasPrefix(question) && (question != "(" || text.hasPrefix("([")) { return .unsolved }
        guard text.first == "[", text.last == "]" else { return try one(text) }
        let rows = parts(text.dropFirst().dropLast(), separator: ";").map { parts($0, separator: "  ") }
        if rows.count > 1 {
            return .table(
                try rows.map { (row) throws(ReadingError) in
                    try row.map { (cell) throws(ReadingError) in try expression(cell) }
                }
            )
        }
        guard let cells = rows.first, !cells.isEmpty else { return .unsolved }
        if cells.contains(where: hasRelation) {
            return .relations(try cells.map { (cell) throws(ReadingError) in try chain(cell) })
        }
        return .list(try cells.map { (cell) throws(ReadingError) in try expression(cell) })
    }

    private static func one(_ text: Substring) throws(ReadingError) -> CalculatorValue {
        if hasRelation(text) { return .relations([try chain(text)]) }
        return .expression(try expression(text))
    }

    private static func hasRelation(_ text: Substring) -> Bool { text.contains { "<>=".contains($0) } }

    private static func chain(_ text: Substring) throws(ReadingError) -> [Relation] {
        let tokens = try Tokenizer.calculated(text)
        guard !tokens.contains(where: { $0.word == "or" }) else { throw .unknownWord("or") }
        var relations: [Relation] = []
        for part in tokens.split(whereSeparator: { $0.word == "and" }) {
            relations += try Parser.relations(part, vocabulary: .calculator).relations
        }
        return relations
    }

    private static func expression(_ text: Substring) throws(ReadingError) -> Expression {
        let expression = try Parser.expression(try Tokenizer.calculated(text), vocabulary: .calculator)
        return expression.tidied
    }

    /// Splits outside of parentheses and brackets.
    private static func parts(_ text: Substring, separator: String) -> [Substring] {
        var parts: [Substring] = []
        var depth = 0
        var start = text.startIndex
        var index = start
        while index < text.endIndex {
            if "([".contains(text[index]) { depth += 1 }
            if ")]".contains(text[index]) { depth -= 1 }
            if depth == 0, text[index...].hasPrefix(separator) {
                parts.append(text[start..<index])
                index = text.index(index, offsetBy: separator.count)
                while index < text.endIndex, text[index] == " " { index = text.index(after: index) }
                start = index
            } else {
                index = text.index(after: index)
            }
        }
        parts.append(text[start...])
        return parts
    }
}
