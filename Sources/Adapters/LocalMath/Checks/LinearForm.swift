/// A sum of variables with exact factors and a constant.
struct LinearForm: Equatable, Sendable {
    var factors: [Variable: Fraction] = [:]
    var constant = Fraction.zero

    subscript(variable: Variable) -> Fraction { factors[variable] ?? .zero }

    private var isConstant: Bool { factors.values.allSatisfy { $0 == .zero } }

    /// Nil if `expression` is not linear, or the numbers do not fit.
    init?(_ expression: Expression) {
        switch expression {
        case .number(let number):
            guard let value = number.fraction else { return nil }
            constant = value
        case .variable(let variable): factors = [variable: .one]
        case .negative(let inner):
            guard let value = LinearForm(inner)?.scaled(by: Fraction(-1)) else { return nil }
            self = value
        case .operation(let sign, let left, let right):
            guard let left = LinearForm(left), let right = LinearForm(right),
                let value = Self.combine(sign, left, right)
            else { return nil }
            self = value
        case .constant, .unit, .function, .factorial: return nil
        }
    }

    private init() {}

    private static func combine(_ sign: Expression.Operator, _ left: Self, _ right: Self) -> LinearForm? {
        switch sign {
        case .add: return left.adding(right)
        case .subtract: return right.scaled(by: Fraction(-1)).flatMap { left.adding($0) }
        case .multiply:
            if left.isConstant { return right.scaled(by: left.constant) }
            return right.isConstant ? left.scaled(by: right.constant) : nil
        case .divide:
            guard right.isConstant, let inverse = Fraction.one / right.constant else { return nil }
            return left.scaled(by: inverse)
        case .power:
            guard right.isConstant, right.constant == .one else { return nil }
            return left
        }
    }

    private func scaled(by factor: Fraction) -> LinearForm? {
        var result = LinearForm()
        for (variable, own) in factors {
            guard let product = own * factor else { return nil }
            result.factors[variable] = product
        }
        guard let product = constant * factor else { return nil }
        result.constant = product
        return result
    }

    private func adding(_ other: LinearForm) -> LinearForm? {
        var result = self
        for (variable, factor) in other.factors {
            guard let sum = self[variable] + factor else { return nil }
            result.factors[variable] = sum
        }
        guard let sum = constant + other.constant else { return nil }
        result.constant = sum
        return result
    }
}

/// Linear equations, solved by Gauss's elimination in exact fractions.
enum LinearSystem {
    enum Solution: Equatable {
        case unique([Fraction])
        case none
        case infinitelyMany
    }

    /// Each form is an equation "= 0"; nil if the numbers grow too large.
    static func solve(_ forms: [LinearForm], for unknowns: [Variable]) -> Solution? {
        var rows: [[Fraction]] = []
        for form in forms {
            guard let right = form.constant.negated else { return nil }
            rows.append(unknowns.map { form[$0] } + [right])
        }
        var pivot = 0
        for column in unknowns.indices {
            guard let row = (pivot..<rows.count).first(where: { rows[$0][column] != .zero }) else { continue }
            rows.swapAt(pivot, row)
            for other in rows.indices where other != pivot && rows[other][column] != .zero {
                guard let factor = rows[other][column] / rows[pivot][column] else { return nil }
                for place in rows[other].indices {
                    guard let product = rows[pivot][place] * factor, let value = rows[other][place] - product else {
                        return nil
                    }
                    rows[other][place] = value
                }
            }
            pivot += 1
            if pivot == rows.count { break }
        }
        if rows.contains(where: { $0.dropLast().allSatisfy { $0 == .zero } && $0.last != .zero }) {
            return Solution.none
        }
        guard pivot == unknowns.count else { return .infinitelyMany }
        var values: [Fraction] = []
        for column in unknowns.indices {
            guard let right = rows[column].last, let value = right / rows[column][column] else { return nil }
            values.append(value)
        }
        return .unique(values)
    }
}
