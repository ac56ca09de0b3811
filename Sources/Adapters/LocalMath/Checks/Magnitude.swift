internal import Glibc

/// An upper estimate of how big the numbers in an expression get, so that nothing is computed that cannot be shown.
enum Magnitude {
    /// Decimal digits a value may have.
    static let digitsMax = 5_000.0
    /// Largest exponent on something that is not a number: expanding it makes as many terms.
    static let symbolicPowerMax = 64.0
    /// Most operations one evaluation may take.
    static let weightMax = 100_000

    /// Throws `tooLarge` if some part of `expression` is beyond the limits.
    static func check(_ expression: Expression) throws(ReadingError) {
        guard expression.weight <= weightMax else { throw .tooLarge }
        _ = try digits(expression)
    }

    /// Decimal logarithm of the estimated magnitude, at least 0; nil if variables keep it open.
    private static func digits(_ expression: Expression) throws(ReadingError) -> Double? {
        switch expression {
        case .number(let number):
            return try bounded(Double(number.digits.count + Swift.max(0, number.exponent)))
        case .constant: return 1
        case .variable: return nil
        case .unit: return 0
        case .negative(let inner): return try digits(inner)
        case .factorial(let inner): return try factorial(inner)
        case .operation(.power, let base, let exponent): return try power(base, exponent)
        case .operation(_, let left, let right):
            let left = try digits(left)
            let right = try digits(right)
            guard let left, let right else { return nil }
            return try bounded(left + right)
        case .function(let function, let arguments): return try self.function(function, arguments)
        }
    }

    private static func bounded(_ digits: Double) throws(ReadingError) -> Double {
        guard digits <= digitsMax else { throw .tooLarge }
        return digits
    }

    private static func power(_ base: Expression, _ exponent: Expression) throws(ReadingError) -> Double? {
        let baseDigits = try digits(base)
        let exponentDigits = try digits(exponent)
        guard exponentDigits != nil, exponent.variables.isEmpty else { return nil }
        guard let value = Evaluation.real(exponent), value.isFinite else {
            // Complex or odd exponents stay unevaluated or small.
            return baseDigits
        }
        guard let baseDigits else {
            guard Swift.abs(value) <= symbolicPowerMax else { throw .tooLarge }
            return nil
        }
        if case .constant = base { return try bounded(Swift.max(1, Swift.abs(value) / 2)) }
        return try bounded(Swift.max(1, Swift.abs(value) * Swift.max(1, baseDigits)))
    }

    private static func factorial(_ inner: Expression) throws(ReadingError) -> Double? {
        guard try digits(inner) != nil else { return nil }
        guard let value = Evaluation.real(inner), value.isFinite else { throw .tooLarge }
        guard value > 1 else { return 1 }
        // Stirling's formula.
        return try bounded(Swift.max(1, (value * log(value) - value) / log(10)))
    }

    private static func function(_ function: Function, _ arguments: [Expression]) throws(ReadingError) -> Double? {
        var total = 0.0
        var isOpen = false
        for argument in arguments {
            if let digits = try digits(argument) { total += digits } else { isOpen = true }
        }
        switch function {
        case .sinh, .cosh: return isOpen ? nil : 500
        case .binomial, .permutations:
            guard !isOpen else { return nil }
            guard total <= 12 else { throw .tooLarge }
            return total
        case .sin, .cos, .tan, .cot, .sec, .csc, .arcsin, .arccos, .arctan, .tanh, .arsinh, .arcosh, .artanh, .ln,
            .log10,
            .log, .sqrt, .cbrt, .root, .abs, .sgn, .floor, .ceil, .round, .gcd, .lcm, .mod, .max, .min, .sum, .product,
            .erf, .erfi, .sinIntegral, .cosIntegral, .expIntegral, .logIntegral, .lambertw, .gamma:
            return isOpen ? nil : try bounded(total)
        }
    }
}

extension Expression {
    /// Operations that one evaluation takes: nodes, each as often as the sums around it count.
    var weight: Int {
        guard case .function(let function, let arguments) = self, function.bindsVariable, arguments.count == 4,
            let first = arguments[2].smallInteger, let last = arguments[3].smallInteger
        else { return children.reduce(1) { Swift.min(.max / 4, $0 + $1.weight) } }
        let (product, overflow) = arguments[0].weight.multipliedReportingOverflow(by: Swift.max(1, last - first + 1))
        return overflow ? .max / 4 : Swift.min(.max / 4, product)
    }
}
