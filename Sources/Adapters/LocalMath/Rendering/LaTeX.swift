/// Renders expressions as LaTeX math.
enum LaTeX {
    /// Inline math.
    static func inline(_ content: String) -> String { "\\(\(content)\\)" }

    /// How tightly a form binds, loosest first.
    private enum Precedence: Int, Comparable {
        case sum
        case product
        case negative
        case power
        case atom

        static func < (left: Precedence, right: Precedence) -> Bool { left.rawValue < right.rawValue }
    }

    static func render(_ expression: Expression) -> String {
        switch expression {
        case .number(let number): self.number(number)
        case .constant(.pi): "\\pi"
        case .constant(.infinity): "\\infty"
        case .constant(let constant): constant.rawValue
        case .variable(let variable): String(variable.letter)
        case .unit(let unit): unit.typeset
        case .negative(let inner): "-" + wrapped(inner, atLeast: .product)
        case .factorial(let inner): wrapped(inner, atLeast: .atom) + "!"
        case .operation(let sign, let left, let right): operation(sign, left, right)
        case .function(let function, let arguments): self.function(function, arguments)
        }
    }

    static func render(_ relation: Relation) -> String {
        "\(render(relation.left)) \(sign(relation.comparison)) \(render(relation.right))"
    }

    static func sign(_ comparison: Relation.Comparison) -> String {
        switch comparison {
        case .equal: "="
        case .notEqual: "\\neq"
        case .less: "<"
        case .lessOrEqual: "\\le"
        case .greater: ">"
        case .greaterOrEqual: "\\ge"
        }
    }

    /// Digits, or a mantissa and a power of ten where zeros would be too many.
    static func number(_ number: DecimalNumber) -> String {
        guard number.exponent != 0 else { return number.digits }
        if !number.isDecimal, number.exponent > 0, number.digits.count + number.exponent <= 240 {
            return number.digits + String(repeating: "0", count: number.exponent)
        }
        return "\(number.digits) \\cdot 10^{\(number.exponent)}"
    }

    private static func precedence(_ expression: Expression) -> Precedence {
        switch expression {
        case .number(let number): number.exponent == 0 || !self.number(number).contains("c") ? .atom : .product
        case .constant, .variable, .unit, .function: .atom
        case .negative: .sum
        case .factorial: .power
        case .operation(.add, _, _), .operation(.subtract, _, _): .sum
        case .operation(.multiply, _, _): .product
        case .operation(.divide, _, _): .power
        case .operation(.power, _, _): .power
        }
    }

    private static func wrapped(_ expression: Expression, atLeast least: Precedence) -> String {
        let inner = render(expression)
        return precedence(expression) >= least ? inner : parenthesised(inner)
    }

    private static func parenthesised(_ inner: String) -> String {
        inner.contains("\\frac") || inner.contains("\\sum") ? "\\left(\(inner)\\right)" : "(\(inner))"
    }

    private static func operation(_ sign: Expression.Operator, _ left: Expression, _ right: Expression) -> String {
        switch sign {
        case .add: return render(left) + " + " + wrappedIfNegative(right)
        case .subtract: return render(left) + " - " + wrapped(right, atLeast: .product)
        case .divide: return "\\frac{\(render(left))}{\(render(right))}"
        case .multiply: return product(left, right)
        case .power: return power(left, right)
        }
    }

    private static func wrappedIfNegative(_ expression: Expression) -> String {
        let inner = render(expression)
        return inner.hasPrefix("-") ? parenthesised(inner) : inner
    }

    private static func product(_ left: Expression, _ right: Expression) -> String {
        let first = wrapped(left, atLeast: .product)
        let second = wrapped(right, atLeast: .product)
        if case .unit = leading(right) { return first + "\\," + second }
        let startsWithDigit = second.first?.isNumber == true
        let startsWithFraction = second.hasPrefix("\\frac")
        if startsWithDigit || startsWithFraction || second.hasPrefix("\\left|") { return first + " \\cdot " + second }
        if case .function = left, !second.hasPrefix("(") { return first + " \\, " + second }
        if case .function(let function, _) = right, function != .sqrt { return first + " \\, " + second }
        if first.last?.isLetter == true, first.contains("\\"), second.first?.isLetter == true {
            return first + " " + second
        }
        return first + second
    }

    private static func leading(_ expression: Expression) -> Expression {
        switch expression {
        case .operation(.multiply, let left, _), .operation(.power, let left, _): leading(left)
        case .operation(.divide, let left, _): leading(left)
        case .number, .constant, .variable, .unit, .negative, .operation, .function, .factorial: expression
        }
    }

    private static func power(_ base: Expression, _ exponent: Expression) -> String {
        let raised = render(exponent)
        if case .function(let function, let arguments) = base, function.isTrigonometric, exponent.smallInteger ?? 0 > 0
        {
            return "\(name(function))^{\(raised)}\(parenthesised(render(arguments[0])))"
        }
        if case .unit = base { return "\(render(base))^{\(raised)}" }
        let isPlain: Bool =
            switch base {
            case .number, .constant, .variable: precedence(base) == .atom
            case .function(.abs, _), .function(.sqrt, _): true
            case .unit, .negative, .operation, .function, .factorial: false
            }
        return (isPlain ? render(base) : parenthesised(render(base))) + "^{\(raised)}"
    }

    private static func name(_ function: Function) -> String {
        switch function {
        case .sin, .cos, .tan, .cot, .sec, .csc, .arcsin, .arccos, .arctan, .sinh, .cosh, .tanh, .ln, .gcd, .max, .min:
            "\\\(function.rawValue)"
        case .log10: "\\log_{10}"
        case .arsinh, .arcosh, .artanh, .lcm, .sgn, .erf, .erfi, .log, .sqrt, .cbrt, .root, .abs, .floor, .ceil, .round,
            .mod, .binomial, .permutations, .sum, .product, .sinIntegral, .cosIntegral, .expIntegral, .logIntegral:
            "\\operatorname{\(function == .permutations ? "P" : function.calculatorName)}"
        case .lambertw: "W"
        case .gamma: "\\Gamma"
        }
    }

    private static func function(_ function: Function, _ arguments: [Expression]) -> String {
        let parts = arguments.map(render)
        switch function {
        case .sqrt: return "\\sqrt{\(parts[0])}"
        case .cbrt: return "\\sqrt[3]{\(parts[0])}"
        case .root: return "\\sqrt[\(parts[1])]{\(parts[0])}"
        case .abs: return "\\left|\(parts[0])\\right|"
        case .floor: return "\\left\\lfloor \(parts[0]) \\right\\rfloor"
        case .ceil: return "\\left\\lceil \(parts[0]) \\right\\rceil"
        case .log: return "\\log_{\(parts[1])}\(parenthesised(parts[0]))"
        case .binomial: return "\\binom{\(parts[0])}{\(parts[1])}"
        case .mod: return "(\(parts[0]) \\bmod \(wrapped(arguments[1], atLeast: .power)))"
        case .sum, .product:
            let sign = function == .sum ? "\\sum" : "\\prod"
            let term = wrapped(arguments[0], atLeast: .product)
            return "\(sign)_{\(parts[1])=\(parts[2])}^{\(parts[3])} \(term)"
        case .sin, .cos, .tan, .cot, .sec, .csc, .arcsin, .arccos, .arctan, .sinh, .cosh, .tanh, .arsinh, .arcosh,
            .artanh, .ln, .log10, .sgn, .round, .gcd, .lcm, .max, .min, .permutations, .erf, .erfi, .sinIntegral,
            .cosIntegral, .expIntegral, .logIntegral, .lambertw, .gamma:
            return name(function) + parenthesised(parts.joined(separator: ", "))
        }
    }
}

extension Function {
    /// Functions whose power is written before the argument: `sin²(x)`.
    var isTrigonometric: Bool {
        switch self {
        case .sin, .cos, .tan, .cot, .sec, .csc, .sinh, .cosh, .tanh: true
        case .arcsin, .arccos, .arctan, .arsinh, .arcosh, .artanh, .ln, .log10, .log, .sqrt, .cbrt, .root, .abs, .sgn,
            .floor, .ceil, .round, .gcd, .lcm, .mod, .max, .min, .binomial, .permutations, .sum, .product, .erf, .erfi,
            .sinIntegral, .cosIntegral, .expIntegral, .logIntegral, .lambertw, .gamma:
            false
        }
    }
}
