/// A mathematical expression as understood, never as typed: everything that leaves this module, towards the calculator
/// or towards the student, is rendered from this tree.
indirect enum Expression: Equatable, Sendable {
    case number(DecimalNumber)
    case constant(Constant)
    case variable(Variable)
    case unit(Unit)
    case negative(Expression)
    case operation(Operator, Expression, Expression)
    case function(Function, [Expression])
    case factorial(Expression)

    enum Operator: Equatable, Sendable {
        case add
        case subtract
        case multiply
        case divide
        case power
    }

    enum Constant: String, Equatable, Sendable {
        case pi
        case e
        case i
        case infinity
    }

    static func number(_ value: Int) -> Expression {
        value < 0
            ? .negative(.number(DecimalNumber(digits: String(value.magnitude))))
            : .number(DecimalNumber(digits: String(value)))
    }
}

/// A variable: one ASCII letter.
struct Variable: Hashable, Comparable, Sendable {
    let letter: Character

    static func < (left: Variable, right: Variable) -> Bool { left.letter < right.letter }

    static let x = Variable(letter: "x")
    /// The constant of integration in the calculator's results.
    static let integrationConstant = Variable(letter: "C")
    /// Any integer, in the calculator's periodic solutions.
    static let anyInteger = Variable(letter: "n")
}

/// A number without sign as written: ASCII digits with at most one point between them, and a power of ten.
struct DecimalNumber: Equatable, Sendable {
    /// Such as `12` or `0.5`.
    let digits: String
    var exponent = 0

    var isInteger: Bool { !digits.contains(".") && exponent >= 0 }
    var isDecimal: Bool { digits.contains(".") }
    var value: Double { Double("\(digits)e\(exponent)") ?? .infinity }

    /// The value if it is a whole number that fits.
    var integer: Int? {
        guard isInteger, exponent <= 18 else { return nil }
        return Int(digits + String(repeating: "0", count: exponent))
    }
}

/// An equation or inequality.
struct Relation: Equatable, Sendable {
    var left: Expression
    var comparison: Comparison
    var right: Expression

    enum Comparison: String, Sendable {
        case equal = "="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
    }

    var variables: Set<Variable> { left.variables.union(right.variables) }
    var difference: Expression { right == .number(0) ? left : left - right }
}

extension Expression {
    static func + (left: Expression, right: Expression) -> Expression { .operation(.add, left, right) }
    static func - (left: Expression, right: Expression) -> Expression { .operation(.subtract, left, right) }
    static func * (left: Expression, right: Expression) -> Expression { .operation(.multiply, left, right) }
    static func / (left: Expression, right: Expression) -> Expression { .operation(.divide, left, right) }
    static func ^ (left: Expression, right: Expression) -> Expression { .operation(.power, left, right) }

    var children: [Expression] {
        switch self {
        case .number, .constant, .variable, .unit: []
        case .negative(let inner), .factorial(let inner): [inner]
        case .operation(_, let left, let right): [left, right]
        case .function(_, let arguments): arguments
        }
    }

    /// True if `condition` holds for this node or one below it.
    func contains(_ condition: (Expression) -> Bool) -> Bool {
        condition(self) || children.contains { $0.contains(condition) }
    }

    var variables: Set<Variable> {
        if case .variable(let variable) = self { return [variable] }
        return children.reduce(into: []) { $0.formUnion($1.variables) }
    }

    /// The variables that are not bound by a sum or product.
    var freeVariables: Set<Variable> {
        if case .variable(let variable) = self { return [variable] }
        var free = children.reduce(into: Set<Variable>()) { $0.formUnion($1.freeVariables) }
        if case .function(let function, let arguments) = self, function.bindsVariable, arguments.count > 1,
            case .variable(let index) = arguments[1]
        {
            free.remove(index)
        }
        return free
    }

    var hasUnits: Bool { contains { if case .unit = $0 { true } else { false } } }
    var hasDecimals: Bool { contains { if case .number(let number) = $0 { number.isDecimal } else { false } } }
    var hasInfinity: Bool { contains { $0 == .constant(.infinity) } }
    var isImaginary: Bool { contains { $0 == .constant(.i) } }

    /// The same expression with every occurrence of `variable` replaced.
    func replacing(_ variable: Variable, with value: Expression) -> Expression {
        switch self {
        case .number, .constant, .unit: self
        case .variable(let own): own == variable ? value : self
        case .negative(let inner): .negative(inner.replacing(variable, with: value))
        case .factorial(let inner): .factorial(inner.replacing(variable, with: value))
        case .operation(let sign, let left, let right):
            .operation(sign, left.replacing(variable, with: value), right.replacing(variable, with: value))
        case .function(let function, let arguments):
            .function(function, arguments.map { $0.replacing(variable, with: value) })
        }
    }
}
