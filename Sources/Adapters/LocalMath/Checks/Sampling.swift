internal import Glibc

/// Checks by numbers: two expressions that agree at many unrelated points are the same.
enum Sampling {
    enum Verdict {
        case agrees
        case differs
        /// Too few points where both have a value.
        case unknown
    }

    private static let points = [0.7312, 1.6180, 2.4449, 0.2153, 3.3019, -0.5671, -1.3247, -2.6854, 5.1234, 0.9159]

    /// Values for several variables, a different mixture at each point.
    static func values(_ variables: Set<Variable>, point: Int) -> [Variable: Complex] {
        var values: [Variable: Complex] = [:]
        for (place, variable) in variables.sorted().enumerated() {
            values[variable] = Complex(points[(point + place * 3) % points.count])
        }
        return values
    }

    static func compare(_ left: Expression, _ right: Expression) -> Verdict {
        compare(variables: left.freeVariables.union(right.freeVariables)) { values in
            guard let left = Evaluation.value(left, values), let right = Evaluation.value(right, values) else {
                return nil
            }
            return left.isClose(to: right, tolerance: 1e-7)
        }
    }

    /// `test` returns nil if it cannot decide.
    private static func compare(variables: Set<Variable>, _ test: ([Variable: Complex]) -> Bool?) -> Verdict {
        var seen = 0
        for point in points.indices {
            guard let agrees = test(values(variables, point: point)) else { continue }
            guard agrees else { return .differs }
            seen += 1
        }
        return seen >= 2 || (variables.isEmpty && seen >= 1) ? .agrees : .unknown
    }

    /// Is `derivative` the derivative of `function`? By symmetric differences of fourth order.
    static func isDerivative(_ derivative: Expression, of function: Expression, by variable: Variable) -> Verdict {
        let step = 1e-3
        let variables = derivative.freeVariables.union(function.freeVariables).union([variable])
        return compare(variables: variables) { values in
            guard let expected = Evaluation.value(derivative, values), let center = values[variable] else { return nil }
            func at(_ distance: Double) -> Complex? {
                var shifted = values
                shifted[variable] = center + Complex(distance * step)
                return Evaluation.value(function, shifted)
            }
            guard let a = at(-2), let b = at(-1), let c = at(1), let d = at(2) else { return nil }
            let slope = (a - Complex(8) * b + Complex(8) * c - d) / Complex(12 * step)
            // Near a pole or a jump the difference has no meaning.
            let roughness = (c - b).magnitude + (d - a).magnitude
            guard slope.isFinite, roughness < 1e6, expected.magnitude < 1e6 else { return nil }
            return (slope - expected).magnitude <= 1e-5 * max(1, expected.magnitude, a.magnitude, d.magnitude)
        }
    }

    /// Is `relation` an equality at these values, up to rounding? Nil where it has no value.
    static func holds(_ relation: Relation, _ values: [Variable: Complex]) -> Bool? {
        guard let left = Evaluation.value(relation.left, values), let right = Evaluation.value(relation.right, values)
        else { return nil }
        switch relation.comparison {
        case .equal: return left.isClose(to: right, tolerance: 1e-6)
        case .notEqual: return !left.isClose(to: right, tolerance: 1e-6)
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            guard left.isReal, right.isReal else { return nil }
            switch relation.comparison {
            case .less: return left.real < right.real
            case .lessOrEqual: return left.real <= right.real
            case .greater: return left.real > right.real
            case .greaterOrEqual, .equal, .notEqual: return left.real >= right.real
            }
        }
    }
}

/// Real zeros of a function of one variable, by changes of sign.
enum ZeroScan {
    static let range = -50.0...50.0
    private static let steps = 4_001
    /// Larger functions are not scanned: it would hold up the loop.
    private static let weightMax = 400
    static let zerosMax = 12

    /// Zeros in ``range``, in order; poles and jumps do not count.
    ///
    /// Nil if whole intervals are zero, where single solutions would be a wrong answer.
    static func zeros(of function: Expression, in variable: Variable) -> [Double]? {
        guard function.weight <= weightMax else { return [] }
        func value(_ x: Double) -> Double? { Evaluation.real(function, [variable: Complex(x)]) }
        var zeros: [Double] = []
        var left = range.lowerBound - 0.00137
        var leftValue = value(left)
        let width = (range.upperBound - range.lowerBound) / Double(steps)
        for step in 1...steps {
            let right = range.lowerBound - 0.00137 + Double(step) * width
            let rightValue = value(right)
            defer { (left, leftValue) = (right, rightValue) }
            guard let first = leftValue, let last = rightValue else { continue }
            if first == 0, last == 0 { return nil }
            if last == 0 {
                zeros.append(right)
            } else if first != 0, first.sign != last.sign, let zero = bisect(left, right, value) {
                zeros.append(zero)
            }
        }
        zeros = zeros.map { zero in
            abs(zero - zero.rounded()) < 1e-4 && value(zero.rounded()) == 0 ? zero.rounded() : zero
        }
        for whole in stride(from: range.lowerBound, through: range.upperBound, by: 1) where value(whole) == 0 {
            if !zeros.contains(where: { abs($0 - whole) < 1e-6 }) { zeros.append(whole) }
        }
        return zeros.sorted()
    }

    private static func bisect(_ left: Double, _ right: Double, _ value: (Double) -> Double?) -> Double? {
        guard var first = value(left), let last = value(right) else { return nil }
        let size = max(abs(first), abs(last))
        var (low, high) = (left, right)
        for _ in 0..<80 {
            let middle = (low + high) / 2
            guard let here = value(middle) else { return nil }
            if here == 0 { return middle }
            if here.sign == first.sign { (low, first) = (middle, here) } else { high = middle }
        }
        let middle = (low + high) / 2
        guard let rest = value(middle), abs(rest) <= 1e-9 * max(1, size) else { return nil }
        return middle
    }
}
