/// Text for the calculator's standard input.
///
/// Made only from syntax trees, so it holds nothing but digits, operators, parentheses and names from our own lists.
struct CalculatorText: Equatable, Sendable {
    let text: String

    private init(_ text: String) { self.text = text }

    init(_ expression: Expression) { text = Self.render(expression) }

    static func expand(_ expression: Expression) -> CalculatorText { Self("expand(\(render(expression)))") }
    static func factor(_ expression: Expression) -> CalculatorText { Self("factorize(\(render(expression)))") }

    static func solve(_ relation: Relation, for unknown: Variable) -> CalculatorText {
        Self("solve(\(render(relation)), \(render(.variable(unknown))))")
    }

    static func solve(_ system: [Relation], for unknowns: [Variable]) -> CalculatorText {
        let relations = system.map(render).joined(separator: ", ")
        return Self("multisolve([\(relations)], [\(unknowns.map { render(.variable($0)) }.joined(separator: ", "))])")
    }

    static func derivative(_ expression: Expression, by variable: Variable, order: Int = 1) -> CalculatorText {
        Self("diff(\(render(expression)), \(render(.variable(variable))), \(order))")
    }

    static func factoredDerivative(_ expression: Expression, by variable: Variable) -> CalculatorText {
        Self("factorize(\(derivative(expression, by: variable).text))")
    }

    static func integral(
        _ expression: Expression,
        by variable: Variable,
        bounds: Problem.Bounds? = nil,
    ) -> CalculatorText {
        let from = bounds.map { render($0.from) } ?? "undefined"
        let to = bounds.map { render($0.to) } ?? "undefined"
        return Self("integrate(\(render(expression)), \(from), \(to), \(render(.variable(variable))))")
    }

    static func limit(_ expression: Expression, of variable: Variable, at place: Expression) -> CalculatorText {
        Self("limit(\(render(expression)), \(render(place)), \(render(.variable(variable))))")
    }

    static func convert(_ quantity: Expression, to unit: Expression) -> CalculatorText {
        Self("\(render(quantity)) to \(render(unit))")
    }

    private static func render(_ relation: Relation) -> String {
        "\(render(relation.left)) \(relation.comparison.rawValue) \(render(relation.right))"
    }

    private static func render(_ expression: Expression) -> String {
        switch expression {
        case .number(let number): number.exponent == 0 ? number.digits : "\(number.digits)E\(number.exponent)"
        case .constant(let constant): constant.rawValue
        case .variable(let variable): "\\\(variable.letter)"
        case .unit(let unit): unit.symbol
        case .negative(let inner): "(-\(render(inner)))"
        case .factorial(let inner): "factorial(\(render(inner)))"
        case .operation(let sign, let left, let right): "(\(render(left))\(symbol(sign))\(render(right)))"
        case .function(let function, let arguments): self.function(function, arguments.map(render))
        }
    }

    private static func symbol(_ sign: Expression.Operator) -> String {
        switch sign {
        case .add: "+"
        case .subtract: "-"
        case .multiply: "*"
        case .divide: "/"
        case .power: "^"
        }
    }

    private static func function(_ function: Function, _ arguments: [String]) -> String {
        if function.bindsVariable, arguments.count == 4 {
            return "\(function.calculatorName)(\(arguments[0]), \(arguments[2]), \(arguments[3]), \(arguments[1]))"
        }
        if function == .max || function == .min {
            return "\(function.calculatorName)([\(arguments.joined(separator: ", "))])"
        }
        return "\(function.calculatorName)(\(arguments.joined(separator: ", ")))"
    }
}
