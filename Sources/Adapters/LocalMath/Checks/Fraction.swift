/// An exact fraction of machine integers; every operation gives nil when it would overflow.
struct Fraction: Equatable, Sendable {
    let above: Int
    /// Positive; no common divisor with ``above``.
    let below: Int

    static let zero = Fraction(0)
    static let one = Fraction(1)

    init(_ value: Int) {
        above = value
        below = 1
    }

    init?(_ above: Int, _ below: Int) {
        guard below != 0, above != .min, below != .min else { return nil }
        var (left, right) = (above.magnitude, below.magnitude)
        while right > 0 { (left, right) = (right, left % right) }
        let divisor = Int(max(left, 1)) * (below < 0 ? -1 : 1)
        self.above = above / divisor
        self.below = below / divisor
    }

    var isInteger: Bool { below == 1 }
    var value: Double { Double(above) / Double(below) }
    var negated: Fraction? { Fraction(above).timesExactly(-1).flatMap { Fraction($0, below) } }

    private func timesExactly(_ factor: Int) -> Int? {
        let (product, overflow) = above.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }

    static func + (left: Fraction, right: Fraction) -> Fraction? {
        guard let first = left.timesExactly(right.below), let second = right.timesExactly(left.below),
            let below = Fraction(left.below).timesExactly(right.below)
        else { return nil }
        let (sum, overflow) = first.addingReportingOverflow(second)
        return overflow ? nil : Fraction(sum, below)
    }

    static func - (left: Fraction, right: Fraction) -> Fraction? { right.negated.flatMap { left + $0 } }

    static func * (left: Fraction, right: Fraction) -> Fraction? {
        guard let above = left.timesExactly(right.above), let below = Fraction(left.below).timesExactly(right.below)
        else { return nil }
        return Fraction(above, below)
    }

    static func / (left: Fraction, right: Fraction) -> Fraction? {
        guard right.above != 0, let inverse = Fraction(right.below, right.above) else { return nil }
        return left * inverse
    }

    var expression: Expression {
        let size = Expression.number(abs(above))
        let value = below == 1 ? size : size / .number(below)
        return above < 0 ? .negative(value) : value
    }
}

extension DecimalNumber {
    /// The exact value if it fits.
    var fraction: Fraction? {
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        let decimals = parts.count > 1 ? parts[1].count : 0
        guard let value = Int(digits.filter { $0 != "." }), abs(exponent - decimals) <= 18 else { return nil }
        var power = 1
        for _ in 0..<abs(exponent - decimals) {
            let (product, overflow) = power.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            power = product
        }
        return exponent >= decimals ? Fraction(value) * Fraction(power) : Fraction(value, power)
    }
}
