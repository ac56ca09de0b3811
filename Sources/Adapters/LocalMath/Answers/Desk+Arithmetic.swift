internal import Glibc

extension Desk {
    /// Longest exact value that is shown in full, in LaTeX characters.
    private static let exactLengthMax = 240

    /// A value without unknowns: exact, then decimal.
    func evaluate(_ expression: Expression) async throws {
        page.say("We work out")
        page.display(LaTeX.render(expression))
        if expression.hasWholeAngle {
            page.say("The angle is taken in radians; for degrees, write the degree sign, as in `sin(30°)`.")
        }
        let text = CalculatorText(expression)
        let answers = try await ask(.exact(text), .decimal(text))
        guard let decimal = CalculatorValue.expression(answers[1]) else { throw Refusal.unsolved }
        let own = Evaluation.value(expression)
        try check(decimal, against: own, of: expression)
        let exact = CalculatorValue.expression(answers[0])
        say(exact: exact, decimal: decimal, of: expression)
    }

    /// The calculator's decimals and ours must be the same number.
    private func check(_ decimal: Expression, against own: Complex?, of expression: Expression) throws(Refusal) {
        if decimal.contains({ if case .function = $0 { true } else { false } }) || decimal.hasInfinity {
            throw Evaluation.isUndefined(expression) ? .undefined : .unsolved
        }
        guard let value = Evaluation.value(decimal) else {
            // Beyond double precision on both sides: arithmetic of whole numbers, which is exact there.
            if own == nil, !Evaluation.isUndefined(expression), decimal.isPlainNumber { return }
            throw .undefined
        }
        guard let own else {
            if Evaluation.isUndefined(expression) { throw .undefined }
            guard expression.isRationalArithmetic else { throw .doubtful }
            return
        }
        guard value.isClose(to: own, tolerance: 1e-6) else { throw .doubtful }
    }

    private func say(exact: Expression?, decimal: Expression, of expression: Expression) {
        let shownDecimal = LaTeX.render(decimal)
        guard let exact, !exact.hasDecimals, LaTeX.render(exact).count <= Self.exactLengthMax else {
            if let exact, case .number(let number) = exact, number.isInteger {
                page.say("The exact result has \(number.digits.count + number.exponent) digits; rounded it is")
            } else {
                page.say("Rounded to ten digits:")
            }
            page.display("\(LaTeX.render(expression)) \\approx \(shownDecimal)")
            page.answer("\\approx \(shownDecimal)")
            return
        }
        let shownExact = LaTeX.render(exact)
        if let fraction = exact.literalFraction {
            say(fraction: fraction, shownExact, of: expression)
            return
        }
        guard shownExact != shownDecimal, !exact.isPlainNumber else {
            page.display("\(LaTeX.render(expression)) = \(shownExact)")
            page.answer(shownExact)
            return
        }
        if exact == expression {
            page.say("There is no simpler exact form. As a decimal number it is about \(LaTeX.inline(shownDecimal)).")
        } else {
            page.say("The exact value is")
            page.display("\(LaTeX.render(expression)) = \(shownExact)")
            page.say("and as a decimal number about \(LaTeX.inline(shownDecimal)).")
        }
        page.answer("\(shownExact) \\approx \(shownDecimal)")
    }

    private func say(fraction: Fraction, _ shown: String, of expression: Expression) {
        guard !fraction.isInteger else {
            page.display("\(LaTeX.render(expression)) = \(fraction.above)")
            page.answer(String(fraction.above))
            return
        }
        let (decimal, isExact) = fraction.decimal
        let sign = isExact ? "=" : "\\approx"
        page.say("As a fraction in lowest terms")
        page.display("\(LaTeX.render(expression)) = \(shown)")
        page.say(
            isExact
                ? "and as a decimal number exactly \(LaTeX.inline(decimal))."
                : "and as a decimal number about \(LaTeX.inline(decimal))."
        )
        page.answer(expression.hasDecimals && isExact ? "\(decimal) = \(shown)" : "\(shown) \(sign) \(decimal)")
    }

    /// An equation or inequality of numbers: true or false.
    func compare(_ relation: Relation) throws(Refusal) {
        guard let left = Evaluation.real(relation.left), let right = Evaluation.real(relation.right) else {
            throw Evaluation.isUndefined(relation.left) || Evaluation.isUndefined(relation.right)
                ? .undefined : .unsolved
        }
        let isTie = Complex(left).isClose(to: Complex(right), tolerance: 1e-12)
        let isTrue: Bool =
            switch relation.comparison {
            case .equal: isTie
            case .notEqual: !isTie
            case .less: left < right && !isTie
            case .lessOrEqual: left < right || isTie
            case .greater: left > right && !isTie
            case .greaterOrEqual: left > right || isTie
            }
        page.say("There is no unknown here, so we compare both sides.")
        page.say("Left: \(LaTeX.inline(Decimal.shown(left))), right: \(LaTeX.inline(Decimal.shown(right))).")
        page.answer(words: isTrue ? "true, \(math(relation)) holds" : "false, \(math(relation)) does not hold")
    }
}

extension Evaluation {
    /// True if some part divides by zero or takes a real function outside of its domain.
    static func isUndefined(_ expression: Expression) -> Bool {
        guard expression.freeVariables.isEmpty else { return false }
        if expression.children.contains(where: isUndefined) {
            if case .function(let function, _) = expression, function.bindsVariable { return false }
            return true
        }
        switch expression {
        case .operation(.divide, _, let below): return value(below).map { $0.magnitude < 1e-13 } == true
        case .operation(.power, let base, let exponent):
            return value(base) == Complex(0) && (real(exponent) ?? 1) <= 0
        case .function(let function, let arguments):
            guard function.hasRealDomain, arguments.allSatisfy({ value($0) != nil }) else { return false }
            return value(expression) == nil
        case .factorial(let inner): return real(inner).map { $0 < 0 || $0 != $0.rounded() } == true
        case .number, .constant, .variable, .unit, .negative, .operation: return false
        }
    }
}

extension Function {
    /// True for functions that are without a value for some numbers.
    fileprivate var hasRealDomain: Bool {
        [.tan, .cot, .sec, .csc, .arcsin, .arccos, .arcosh, .artanh, .ln, .log10, .log, .root, .mod].contains(self)
    }
}

extension Expression {
    /// Only numbers, `+ − · /`, powers to whole numbers and factorials: what is computed without rounding.
    var isRationalArithmetic: Bool {
        !contains { node in
            switch node {
            case .constant, .unit: true
            case .operation(.power, _, let exponent): exponent.smallInteger == nil
            case .function(let function, _):
                ![.gcd, .lcm, .mod, .binomial, .permutations, .sum, .product].contains(function)
            case .number, .variable, .operation, .negative, .factorial: false
            }
        }
    }

    /// A trigonometric function of a whole number other than zero, which may have been meant in degrees.
    var hasWholeAngle: Bool {
        contains { node in
            guard case .function(let function, let arguments) = node else { return false }
            return [.sin, .cos, .tan, .cot, .sec, .csc].contains(function) && (arguments[0].smallInteger ?? 0) != 0
        }
    }

    /// A number, maybe with a minus sign.
    var isPlainNumber: Bool {
        switch self {
        case .number: true
        case .negative(let inner): inner.isPlainNumber
        case .constant, .variable, .unit, .operation, .function, .factorial: false
        }
    }

    /// The value if it is written as a whole number or a fraction of two.
    var literalFraction: Fraction? {
        switch self {
        case .number(let number): number.isInteger ? number.fraction : nil
        case .negative(let inner): inner.literalFraction?.negated
        case .operation(.divide, let above, let below):
            if let above = above.smallInteger, let below = below.smallInteger { Fraction(above, below) } else { nil }
        case .constant, .variable, .unit, .operation, .function, .factorial: nil
        }
    }
}

extension Fraction {
    /// Decimal digits, and whether they are all: at most twelve behind the point, else rounded to ten digits.
    var decimal: (shown: String, isExact: Bool) {
        var rest = below
        while rest % 2 == 0 { rest /= 2 }
        while rest % 5 == 0 { rest /= 5 }
        var digits = String(abs(above) / below)
        var remainder = abs(above) % below
        guard rest == 1, below < Int.max / 10 else { return (Decimal.shown(value), false) }
        if remainder > 0 { digits += "." }
        var places = 0
        while remainder > 0 {
            guard places < 12 else { return (Decimal.shown(value), false) }
            remainder *= 10
            digits += String(remainder / below)
            remainder %= below
            places += 1
        }
        return ((above < 0 ? "-" : "") + digits, true)
    }
}

/// Numbers of double precision as text.
enum Decimal {
    /// Significant digits, at most ten, without zeros at the end, as LaTeX.
    static func shown(_ value: Double, digits: Int = 10) -> String {
        guard value != 0, value.isFinite else { return "0" }
        var exponent = Int(floor(Glibc.log10(abs(value))))
        if (-5..<digits).contains(exponent) {
            let places = max(0, digits - 1 - exponent)
            let scaled = (abs(value) * pow(10, Double(places))).rounded()
            return sign(value) + pointed(String(Int(scaled)), places)
        }
        let top = pow(10, Double(digits - 1))
        var mantissa = (abs(value) / pow(10, Double(exponent)) * top).rounded()
        if mantissa >= top * 10 {
            mantissa /= 10
            exponent += 1
        }
        return sign(value) + pointed(String(Int(mantissa)), digits - 1) + " \\cdot 10^{\(exponent)}"
    }

    private static func sign(_ value: Double) -> String { value < 0 ? "-" : "" }

    private static func pointed(_ digits: String, _ places: Int) -> String {
        guard places > 0 else { return digits }
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
        var behind = padded.suffix(places)
        while behind.last == "0" { behind.removeLast() }
        return padded.dropLast(places) + (behind.isEmpty ? "" : "." + behind)
    }
}
