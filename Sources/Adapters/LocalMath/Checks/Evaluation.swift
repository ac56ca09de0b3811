internal import Glibc

/// The value of an expression in double precision: our own arithmetic, to check the calculator's against.
enum Evaluation {
    /// The value, or nil where it is undefined or needs a function this check does not know.
    static func value(_ expression: Expression, _ values: [Variable: Complex] = [:]) -> Complex? {
        switch expression {
        case .number(let number): number.value.isFinite ? Complex(number.value) : nil
        case .constant(.pi): Complex(.pi)
        case .constant(.e): Complex(M_E)
        case .constant(.i): .i
        case .constant(.infinity): nil
        case .variable(let variable): values[variable]
        case .unit: nil
        case .negative(let inner): value(inner, values).map { -$0 }
        case .factorial(let inner): factorial(inner, values)
        case .operation(let sign, let left, let right): operation(sign, left, right, values)
        case .function(let function, let arguments): self.function(function, arguments, values)
        }
    }

    /// The value if it is real.
    static func real(_ expression: Expression, _ values: [Variable: Complex] = [:]) -> Double? {
        guard let value = value(expression, values), value.isReal else { return nil }
        return value.real
    }

    private static func operation(
        _ sign: Expression.Operator,
        _ left: Expression,
        _ right: Expression,
        _ values: [Variable: Complex],
    ) -> Complex? {
        guard let left = value(left, values), let right = value(right, values) else { return nil }
        let result =
            switch sign {
            case .add: left + right
            case .subtract: left - right
            case .multiply: left * right
            case .divide: left / right
            case .power: left.power(right)
            }
        return result.isFinite ? result : nil
    }

    private static func factorial(_ inner: Expression, _ values: [Variable: Complex]) -> Complex? {
        guard let value = real(inner, values), value >= 0, value <= 170, value == value.rounded() else { return nil }
        return Complex(tgamma(value + 1).rounded())
    }

    private static func function(
        _ function: Function,
        _ arguments: [Expression],
        _ values: [Variable: Complex],
    ) -> Complex? {
        if function.bindsVariable { return series(function, arguments, values) }
        var operands: [Complex] = []
        for argument in arguments {
            guard let value = value(argument, values) else { return nil }
            operands.append(value)
        }
        let result = complex(function, operands[0]) ?? real(function, operands)
        return result?.isFinite == true ? result : nil
    }

    /// Functions that are checked for complex arguments as well.
    private static func complex(_ function: Function, _ value: Complex) -> Complex? {
        let turned = Complex.i * value
        let cosine = (turned.exponential + (-turned).exponential) / Complex(2)
        let sine = (turned.exponential - (-turned).exponential) / Complex(0, 2)
        guard value.imaginary != 0 || value.real < 0 || function == .sqrt else { return nil }
        switch function {
        case .sqrt: return value.squareRoot
        case .ln: return value.magnitude > 0 ? value.logarithm : nil
        case .log10: return value.magnitude > 0 ? value.logarithm / Complex(M_LN10) : nil
        case .abs: return Complex(value.magnitude)
        case .sin where value.imaginary != 0: return sine
        case .cos where value.imaginary != 0: return cosine
        case .tan where value.imaginary != 0: return sine / cosine
        case .sin, .cos, .tan, .cot, .sec, .csc, .arcsin, .arccos, .arctan, .sinh, .cosh, .tanh, .arsinh, .arcosh,
            .artanh, .log, .cbrt, .root, .sgn, .floor, .ceil, .round, .gcd, .lcm, .mod, .max, .min, .binomial,
            .permutations, .sum, .product, .erf, .erfi, .sinIntegral, .cosIntegral, .expIntegral, .logIntegral,
            .lambertw, .gamma:
            return nil
        }
    }

    private static func real(_ function: Function, _ operands: [Complex]) -> Complex? {
        let values = operands.map(\.real)
        guard operands.allSatisfy(\.isReal), let x = values.first else { return nil }
        let needsWholeNumbers = [.gcd, .lcm, .mod, .binomial, .permutations].contains(function)
        if needsWholeNumbers, values.contains(where: { abs($0) > 1e15 }) { return nil }
        let result: Double? =
            switch function {
            case .sin: sin(x)
            case .cos: cos(x)
            case .tan: abs(cos(x)) < 1e-14 ? nil : tan(x)
            case .cot: abs(sin(x)) < 1e-14 ? nil : cos(x) / sin(x)
            case .sec: abs(cos(x)) < 1e-14 ? nil : 1 / cos(x)
            case .csc: abs(sin(x)) < 1e-14 ? nil : 1 / sin(x)
            case .arcsin: asin(x)
            case .arccos: acos(x)
            case .arctan: atan(x)
            case .sinh: sinh(x)
            case .cosh: cosh(x)
            case .tanh: tanh(x)
            case .arsinh: asinh(x)
            case .arcosh: acosh(x)
            case .artanh: atanh(x)
            case .ln: x > 0 ? log(x) : nil
            case .log10: x > 0 ? Glibc.log10(x) : nil
            case .log: x > 0 && values[1] > 0 && values[1] != 1 ? log(x) / log(values[1]) : nil
            case .sqrt: x >= 0 ? x.squareRoot() : nil
            case .cbrt: cbrt(x)
            case .root: root(x, values[1])
            case .abs: abs(x)
            case .sgn: x > 0 ? 1 : x < 0 ? -1 : 0
            case .floor: floor(x)
            case .ceil: ceil(x)
            case .round: x.rounded()
            case .gcd: values.dropFirst().reduce(abs(x), greatestCommonDivisor)
            case .lcm: values.dropFirst().reduce(abs(x)) { abs($0 * $1) / greatestCommonDivisor($0, $1) }
            case .mod: values[1] == 0 ? nil : x - values[1] * floor(x / values[1])
            case .max: values.max()
            case .min: values.min()
            case .binomial: falling(x, values[1]).map { $0 / tgamma(values[1] + 1) }
            case .permutations: falling(x, values[1])
            case .erf: erf(x)
            case .gamma: tgamma(x)
            case .sum, .product, .erfi, .sinIntegral, .cosIntegral, .expIntegral, .logIntegral, .lambertw: nil
            }
        return result.map { Complex($0) }
    }

    private static func root(_ x: Double, _ index: Double) -> Double? {
        guard index == index.rounded(), index >= 1 else { return nil }
        if x < 0 { return index.remainder(dividingBy: 2) == 0 ? nil : -pow(-x, 1 / index) }
        return pow(x, 1 / index)
    }

    private static func greatestCommonDivisor(_ left: Double, _ right: Double) -> Double {
        var (left, right) = (abs(left), abs(right))
        while right > 0.5 { (left, right) = (right, left.truncatingRemainder(dividingBy: right)) }
        return left
    }

    /// The falling factorial n (n − 1) … (n − k + 1).
    private static func falling(_ n: Double, _ k: Double) -> Double? {
        guard k >= 0, k <= 1000, k == k.rounded() else { return nil }
        return (0..<Int(k)).reduce(1) { $0 * (n - Double($1)) }
    }

    private static func series(
        _ function: Function,
        _ arguments: [Expression],
        _ values: [Variable: Complex],
    ) -> Complex? {
        guard arguments.count == 4, case .variable(let index) = arguments[1], let first = arguments[2].smallInteger,
            let last = arguments[3].smallInteger, last >= first, last - first <= Parser.termsMax
        else { return nil }
        var values = values
        var total = function == .sum ? Complex(0) : Complex.one
        for position in first...last {
            values[index] = Complex(Double(position))
            guard let term = value(arguments[0], values) else { return nil }
            total = function == .sum ? total + term : total * term
        }
        return total.isFinite ? total : nil
    }
}
