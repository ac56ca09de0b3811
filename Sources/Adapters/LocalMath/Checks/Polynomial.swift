/// A polynomial in one variable with exact coefficients, lowest power first, without zeros at the top.
struct Polynomial: Equatable, Sendable {
    static let degreeMax = 32

    let coefficients: [Fraction]

    init(_ coefficients: [Fraction]) {
        self.coefficients = Array(coefficients.reversed().drop { $0 == .zero }.reversed())
    }

    /// −1 for the zero polynomial.
    var degree: Int { coefficients.count - 1 }
    var isZero: Bool { coefficients.isEmpty }
    subscript(power: Int) -> Fraction { power < coefficients.count ? coefficients[power] : .zero }

    /// Expands `expression`; nil if it is no such polynomial or does not fit.
    init?(_ expression: Expression, in variable: Variable) {
        switch expression {
        case .number(let number):
            guard let value = number.fraction else { return nil }
            self.init([value])
        case .variable(let own):
            guard own == variable else { return nil }
            self.init([.zero, .one])
        case .negative(let inner):
            guard let inner = Polynomial(inner, in: variable), let zero = Polynomial([]).adding(inner, sign: -1)
            else { return nil }
            self = zero
        case .operation(let sign, let left, let right):
            guard let left = Polynomial(left, in: variable), let right = Polynomial(right, in: variable),
                let result = Self.combine(sign, left, right)
            else { return nil }
            self = result
        case .constant, .unit, .function, .factorial: return nil
        }
    }

    private static func combine(
        _ sign: Expression.Operator,
        _ left: Polynomial,
        _ right: Polynomial,
    ) -> Polynomial? {
        switch sign {
        case .add: return left.adding(right, sign: 1)
        case .subtract: return left.adding(right, sign: -1)
        case .multiply: return left.multiplied(by: right)
        case .divide:
            guard right.degree == 0, let inverse = Fraction.one / right[0] else { return nil }
            return left.multiplied(by: Polynomial([inverse]))
        case .power:
            guard right.degree <= 0, right[0].isInteger, (0...degreeMax).contains(right[0].above) else { return nil }
            var power: Polynomial? = Polynomial([.one])
            for _ in 0..<right[0].above { power = power?.multiplied(by: left) }
            return power
        }
    }

    private func adding(_ other: Polynomial, sign: Int) -> Polynomial? {
        var sum: [Fraction] = []
        for power in 0..<max(coefficients.count, other.coefficients.count) {
            guard let value = sign > 0 ? self[power] + other[power] : self[power] - other[power] else { return nil }
            sum.append(value)
        }
        return Polynomial(sum)
    }

    private func multiplied(by other: Polynomial) -> Polynomial? {
        guard !isZero, !other.isZero else { return Polynomial([]) }
        guard degree + other.degree <= Self.degreeMax else { return nil }
        var product = [Fraction](repeating: .zero, count: degree + other.degree + 1)
        for (left, factor) in coefficients.enumerated() {
            for (right, other) in other.coefficients.enumerated() {
                guard let term = factor * other, let sum = product[left + right] + term else { return nil }
                product[left + right] = sum
            }
        }
        return Polynomial(product)
    }

    /// Written out, highest power first.
    func expression(in variable: Variable) -> Expression {
        var sum: Expression?
        for (power, coefficient) in coefficients.enumerated().reversed() where coefficient != .zero {
            let symbol: Expression = power == 1 ? .variable(variable) : .variable(variable) ^ .number(power)
            let size = Fraction(abs(coefficient.above), coefficient.below) ?? coefficient
            let term = power == 0 ? size.expression : size == .one ? symbol : size.expression * symbol
            if let before = sum {
                sum = coefficient.above < 0 ? before - term : before + term
            } else {
                sum = coefficient.above < 0 ? .negative(term) : term
            }
        }
        return sum ?? .number(0)
    }

    /// All complex roots, each as often as it counts, by Durand and Kerner's iteration; nil if it does not settle.
    var roots: [Complex]? {
        guard degree >= 1 else { return nil }
        let monic = coefficients.map { Complex($0.value / coefficients[degree].value) }
        let radius = 1 + (monic.dropLast().map(\.magnitude).max() ?? 0)
        var roots = (0..<degree).map { Complex(0.4, 0.9).power(Complex(Double($0))) * Complex(min(radius, 10)) }
        for _ in 0..<500 {
            var change = 0.0
            for index in roots.indices {
                var value = Complex(0)
                for coefficient in monic.reversed() { value = value * roots[index] + coefficient }
                for other in roots.indices where other != index { value = value / (roots[index] - roots[other]) }
                guard value.isFinite else { return nil }
                roots[index] = roots[index] - value
                change = max(change, value.magnitude)
            }
            if change < 1e-13 * radius { break }
        }
        return roots
    }
}
