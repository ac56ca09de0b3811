/// A rule of differentiation, named in an answer.
enum DerivativeRule: Hashable {
    case constant
    case sum
    case product
    case quotient
    case chain
    case power
    case exponential
    case logarithm
    case trigonometric
    case root

    /// A function of which an answer shows the derivative on the way.
    struct Part {
        var name: String
        var expression: Expression
    }

    /// The rules that differentiating `expression` needs, in the order they are met.
    static func rules(for expression: Expression, by variable: Variable) -> [DerivativeRule] {
        var rules: [DerivativeRule] = []
        collect(expression, variable, &rules)
        return rules
    }

    private static func add(_ rule: DerivativeRule, _ rules: inout [DerivativeRule]) {
        if !rules.contains(rule) { rules.append(rule) }
    }

    private static func collect(_ expression: Expression, _ variable: Variable, _ rules: inout [DerivativeRule]) {
        guard expression.freeVariables.contains(variable) else {
            if rules.isEmpty { add(.constant, &rules) }
            return
        }
        switch expression {
        case .number, .constant, .variable, .unit, .factorial: break
        case .negative(let inner): collect(inner, variable, &rules)
        case .operation(let sign, let left, let right):
            operation(sign, left, right, variable, &rules)
        case .function(let function, let arguments):
            if function.isTrigonometric { add(.trigonometric, &rules) }
            if function.isLogarithm { add(.logarithm, &rules) }
            if function == .sqrt || function == .cbrt { add(.root, &rules) }
            inside(arguments[0], variable, &rules)
        }
    }

    private static func operation(
        _ sign: Expression.Operator,
        _ left: Expression,
        _ right: Expression,
        _ variable: Variable,
        _ rules: inout [DerivativeRule],
    ) {
        let (inLeft, inRight) = (left.variables.contains(variable), right.variables.contains(variable))
        switch sign {
        case .add, .subtract: add(.sum, &rules)
        case .multiply where inLeft && inRight: add(.product, &rules)
        case .divide where inRight: add(.quotient, &rules)
        case .multiply, .divide: break
        case .power:
            if inRight { add(.exponential, &rules) } else { add(.power, &rules) }
            if !inRight { return inside(left, variable, &rules) }
            if !inLeft { return inside(right, variable, &rules) }
        }
        if inLeft { collect(left, variable, &rules) }
        if inRight { collect(right, variable, &rules) }
    }

    private static func inside(_ argument: Expression, _ variable: Variable, _ rules: inout [DerivativeRule]) {
        if argument != .variable(variable), argument.variables.contains(variable) {
            add(.chain, &rules)
            collect(argument, variable, &rules)
        }
    }

    func sentence(_ variable: Variable) -> String {
        let x = variable.name
        return switch self {
        case .constant: "Constant rule: the derivative of a constant is \\(0\\)."
        case .sum: "Sum rule: every term is differentiated on its own."
        case .product: "Product rule: \\((uv)' = u'v + uv'\\)."
        case .quotient: "Quotient rule: \\(\\left(\\frac{u}{v}\\right)' = \\frac{u'v - uv'}{v^{2}}\\)."
        case .chain: "Chain rule: \\((f(g(\(x))))' = f'(g(\(x))) \\, g'(\(x))\\)."
        case .power: "Power rule: \\((\(x)^{n})' = n\(x)^{n-1}\\)."
        case .exponential: "Exponential rule: \\((e^{\(x)})' = e^{\(x)}\\) and \\((a^{\(x)})' = a^{\(x)} \\ln(a)\\)."
        case .logarithm: "Logarithm: \\((\\ln(\(x)))' = \\frac{1}{\(x)}\\)."
        case .trigonometric:
            "Trigonometric functions: \\((\\sin(\(x)))' = \\cos(\(x))\\), \\((\\cos(\(x)))' = -\\sin(\(x))\\)."
        case .root: "Square root: \\((\\sqrt{\(x)})' = \\frac{1}{2\\sqrt{\(x)}}\\)."
        }
    }

    /// The two functions of a product or quotient.
    static func parts(of expression: Expression, by variable: Variable) -> [Part] {
        guard case .operation(let sign, let left, let right) = expression, sign == .multiply || sign == .divide,
            left.variables.contains(variable), right.variables.contains(variable)
        else { return [] }
        return [Part(name: "u", expression: left), Part(name: "v", expression: right)]
    }
}

/// Rules of integration, named in an answer.
enum IntegralRule {
    static func sentences(for expression: Expression, by variable: Variable) -> [String] {
        let x = variable.name
        var sentences: [String] = []
        if expression.terms.count > 1 { sentences.append("A sum is integrated term by term.") }
        let hasPower = expression.terms.contains { _, term in
            term.factors.contains { factor in
                switch factor {
                case .variable(let own): own == variable
                case .operation(.power, .variable(let own), let exponent):
                    own == variable && exponent.smallInteger != nil && exponent != .negative(.number(1))
                case .number, .constant, .unit, .negative, .operation, .function, .factorial: false
                }
            }
        }
        if hasPower, Polynomial(expression, in: variable) != nil {
            sentences.append(
                "Power rule: \\(\\int \(x)^{n} \\, d\(x) = \\frac{\(x)^{n+1}}{n+1}\\) for \\(n \\neq -1\\)."
            )
        }
        return sentences
    }
}
