extension Expression {
    /// The same value in the order a textbook writes it: numbers before letters before functions in a product, no
    /// `+ −`, no `1 ·`, and `i√3` for the root of −3.
    var tidied: Expression {
        switch self {
        case .number, .constant, .variable, .unit: return self
        case .negative(let inner):
            let inner = inner.tidied
            if case .negative(let twice) = inner { return twice }
            return .negative(inner)
        case .factorial(let inner): return .factorial(inner.tidied)
        case .operation(let sign, let left, let right): return Self.tidied(sign, left.tidied, right.tidied)
        case .function(.sqrt, let arguments):
            if case .negative(.number(let number)) = arguments[0] {
                return .constant(.i) * .function(.sqrt, [.number(number)])
            }
            return .function(.sqrt, arguments.map(\.tidied))
        case .function(let function, let arguments): return .function(function, arguments.map(\.tidied))
        }
    }

    private static func tidied(_ sign: Operator, _ left: Expression, _ right: Expression) -> Expression {
        switch (sign, left, right) {
        case (.add, _, .negative(let inner)): return left - inner
        case (.subtract, _, .negative(let inner)): return left + inner
        case (.add, .negative(let inner), _) where !right.startsNegative: return right - inner
        case (.multiply, .negative(let inner), _): return .negative(tidied(.multiply, inner, right))
        case (.multiply, _, .negative(let inner)): return .negative(tidied(.multiply, left, inner))
        case (.divide, .negative(let inner), _): return .negative(inner / right)
        case (.multiply, _, _):
            let factors = (left.factors + right.factors).filter { $0 != .number(1) }
            let ordered = factors.enumerated().sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }
            guard let first = ordered.first?.element else { return .number(1) }
            return ordered.dropFirst().reduce(first) { $0 * $1.element }
        case (.add, _, _), (.subtract, _, _), (.divide, _, _), (.power, _, _): return .operation(sign, left, right)
        }
    }

    private var startsNegative: Bool {
        switch self {
        case .negative: true
        case .operation(.add, let left, _), .operation(.subtract, let left, _): left.startsNegative
        case .number, .constant, .variable, .unit, .operation, .function, .factorial: false
        }
    }

    /// The factors of a product, in order.
    var factors: [Expression] {
        if case .operation(.multiply, let left, let right) = self { return left.factors + right.factors }
        return [self]
    }

    /// The terms of a sum with their signs.
    var terms: [(isNegative: Bool, term: Expression)] {
        switch self {
        case .operation(.add, let left, let right): left.terms + right.terms
        case .operation(.subtract, let left, let right): left.terms + right.terms.map { (!$0.isNegative, $0.term) }
        case .negative(let inner): inner.terms.map { (!$0.isNegative, $0.term) }
        case .number, .constant, .variable, .unit, .operation, .function, .factorial: [(false, self)]
        }
    }

    private var rank: Int {
        switch self {
        case .number: 0
        case .operation(.divide, let above, let below): above.variables.union(below.variables).isEmpty ? 1 : 8
        case .constant(.i): 4
        case .constant: 2
        case .function(.sqrt, let arguments), .function(.cbrt, let arguments): arguments[0].variables.isEmpty ? 3 : 7
        case .variable: 5
        case .operation(.power, .variable, _): 5
        case .operation(.power, .constant, _): 6
        case .operation(.power, let base, _): base.rank
        case .function: 8
        case .negative, .operation, .factorial: 7
        case .unit: 9
        }
    }

    /// How much there is to read.
    var size: Int { children.reduce(1) { $0 + $1.size } }
}
