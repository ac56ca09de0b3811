extension Desk {
    /// An equation or inequality for one unknown.
    func solve(_ relation: Relation, for unknown: Variable) async throws {
        guard relation.comparison == .equal else { return try await solveInequality(relation, for: unknown) }
        page.say("We solve for \(math(unknown.expression)):")
        page.display(LaTeX.render(relation))
        guard let polynomial = Polynomial(relation.difference, in: unknown) else {
            return try await solveGeneral(relation, for: unknown)
        }
        switch polynomial.degree {
        case ...0: constant(isTrue: polynomial.isZero, unknown)
        case 1: try await solveLinear(relation, polynomial, unknown)
        case 2: try await solveQuadratic(relation, polynomial, unknown)
        default: try await solvePolynomial(relation, polynomial, unknown)
        }
    }

    private func constant(isTrue: Bool, _ unknown: Variable) {
        let name = math(unknown.expression)
        page.say("Both sides brought together, \(name) drops out.")
        if isTrue {
            page.say("What is left, \\(0 = 0\\), is always true.")
            page.answer(words: "every \(name) is a solution, so there are infinitely many")
        } else {
            page.say("What is left is false, whatever \(name) is.")
            page.answer(words: "no solution")
        }
    }

    // MARK: Linear

    private func solveLinear(_ relation: Relation, _ polynomial: Polynomial, _ unknown: Variable) async throws {
        linearSteps(relation, unknown)
        let solution = polynomial[0].negated.flatMap { $0 / polynomial[1] }
        let answer = try await ask(.exact(.solve(relation, for: unknown)))[0]
        guard let found = CalculatorValue.expression(answer) else { throw Refusal.unsolved }
        guard let value = Evaluation.value(found), solution.map({ Complex($0.value).isClose(to: value) }) ?? true,
            Sampling.holds(relation, [unknown: value]) == true
        else { throw Refusal.doubtful }
        sayCheck(relation, unknown, found)
        let shown = "\(unknown.name) = \(LaTeX.render(found))"
        let decimal = relation.left.hasDecimals || relation.right.hasDecimals ? solution?.decimal : nil
        guard let decimal, decimal.isExact, found.literalFraction?.isInteger == false else { return page.answer(shown) }
        page.answer("\(unknown.name) = \(decimal.shown)")
    }

    private func linearSteps(_ relation: Relation, _ unknown: Variable) {
        guard var left = Polynomial(relation.left, in: unknown), var right = Polynomial(relation.right, in: unknown)
        else { return }
        func show(_ left: Polynomial, _ right: Polynomial) {
            page.display(
                "\(LaTeX.render(left.expression(in: unknown))) = \(LaTeX.render(right.expression(in: unknown)))"
            )
        }
        let isTidy =
            left.expression(in: unknown).size >= relation.left.size
            && right.expression(in: unknown).size >= relation.right.size
        if !isTidy {
            page.say("Simplify both sides:")
            show(left, right)
        }
        if left[1] == .zero {
            (left, right) = (right, left)
            page.say("Swap the sides:")
            show(left, right)
        }
        if right[1] != .zero, let slope = left[1] - right[1] {
            say(moving: Polynomial([.zero, right[1]]).expression(in: unknown), isNegative: right[1].above < 0)
            left = Polynomial([left[0], slope])
            right = Polynomial([right[0]])
            show(left, right)
        }
        if left[0] != .zero, let rest = right[0] - left[0] {
            say(moving: left[0].expression, isNegative: left[0].above < 0)
            left = Polynomial([.zero, left[1]])
            right = Polynomial([rest])
            show(left, right)
        }
        if left[1] != .one, let value = right[0] / left[1] {
            page.say("Divide both sides by \(math(left[1].expression)):")
            show(Polynomial([.zero, .one]), Polynomial([value]))
        }
    }

    private func say(moving term: Expression, isNegative: Bool) {
        if case .negative(let positive) = term {
            page.say("Add \(math(positive)) to both sides:")
        } else {
            page.say("\(isNegative ? "Add" : "Subtract") \(math(term)) \(isNegative ? "to" : "from") both sides:")
        }
    }

    private func sayCheck(_ relation: Relation, _ unknown: Variable, _ value: Expression) {
        let left = relation.left.replacing(unknown, with: value)
        let right = relation.right.replacing(unknown, with: value)
        guard left.size + right.size <= 40 else { return }
        let shown = "\(LaTeX.render(left)) = \(LaTeX.render(right))"
        page.say(
            "Check: with \(LaTeX.inline("\(unknown.name) = \(LaTeX.render(value))")), \(LaTeX.inline(shown)) is true."
        )
    }

    // MARK: Quadratic

    private func solveQuadratic(_ relation: Relation, _ polynomial: Polynomial, _ unknown: Variable) async throws {
        let (a, b, c) = (polynomial[2], polynomial[1], polynomial[0])
        let standard = Relation(
            left: polynomial.expression(in: unknown),
            comparison: .equal,
            right: .number(0)
        )
        if standard != relation {
            page.say("Bring everything to one side:")
            page.display(LaTeX.render(standard))
        }
        var discriminant: Fraction?
        if let square = b * b, let four = a * c, let product = four * Fraction(4), let value = square - product {
            discriminant = value
            quadraticSteps(a, b, c, value, unknown)
        }
        let answers = try await ask(
            .exact(.solve(standard, for: unknown)),
            .decimal(.solve(standard, for: unknown)),
            .exact(.factor(standard.left))
        )
        let (exact, decimal) = try solutions(answers[0], answers[1])
        let values = exact.compactMap { Evaluation.value($0) }
        let expected = discriminant == .zero ? 1 : 2
        guard values.count == exact.count, exact.count == expected,
            values.allSatisfy({ Sampling.holds(relation, [unknown: $0]) == true }),
            expected == 1 || !values[0].isClose(to: values[1], tolerance: 1e-12)
        else { throw Refusal.doubtful }
        if let factors = CalculatorValue.expression(answers[2])?.withTidyFactors, factors.isProduct,
            case .agrees = Sampling.compare(factors, standard.left)
        {
            page.say("This fits the factored form")
            page.display("\(LaTeX.render(factors)) = 0")
        }
        say(solutions: exact, decimal, unknown, isComplex: !values.allSatisfy(\.isReal))
    }

    private func quadraticSteps(
        _ a: Fraction,
        _ b: Fraction,
        _ c: Fraction,
        _ discriminant: Fraction,
        _ unknown: Variable
    ) {
        let signed = { (value: Fraction) in
            value.above < 0 || !value.isInteger ? "(\(LaTeX.render(value.expression)))" : LaTeX.render(value.expression)
        }
        page.say(
            """
            This is a quadratic equation with \(LaTeX.inline("a = \(LaTeX.render(a.expression))")), \
            \(LaTeX.inline("b = \(LaTeX.render(b.expression))")), \
            \(LaTeX.inline("c = \(LaTeX.render(c.expression))")). Its discriminant is
            """
        )
        page.display(
            """
            D = b^{2} - 4ac = \(signed(b))^{2} - 4 \\cdot \(signed(a)) \\cdot \(signed(c)) \
            = \(LaTeX.render(discriminant.expression))
            """
        )
        if discriminant.above > 0 {
            page.say("\\(D > 0\\), so there are two real solutions:")
        } else if discriminant.above == 0 {
            page.say("\\(D = 0\\), so there is exactly one (double) solution:")
        } else {
            page.say("\\(D < 0\\), so there is no real solution, but there are two complex ones:")
        }
        let formula = "\\frac{-b \\pm \\sqrt{D}}{2a}"
        if let minus = b.negated, let twice = a * Fraction(2) {
            let filled =
                "\\frac{\(LaTeX.render(minus.expression)) \\pm \\sqrt{\(LaTeX.render(discriminant.expression))}}"
                + "{\(LaTeX.render(twice.expression))}"
            page.display("\(unknown.name) = \(formula) = \(filled)")
        }
    }

    // MARK: Higher degree

    private func solvePolynomial(_ relation: Relation, _ polynomial: Polynomial, _ unknown: Variable) async throws {
        let standard = Relation(left: polynomial.expression(in: unknown), comparison: .equal, right: .number(0))
        if standard != relation {
            page.say("Bring everything to one side:")
            page.display(LaTeX.render(standard))
        }
        page.say("This is a polynomial of degree \\(\(polynomial.degree)\\).")
        let question = CalculatorText.solve(standard, for: unknown)
        let answers = try await ask(.exact(question), .decimal(question), .exact(.factor(standard.left)))
        if let factors = CalculatorValue.expression(answers[2])?.withTidyFactors, factors.isProduct,
            case .agrees = Sampling.compare(factors, standard.left)
        {
            page.say("It factors into")
            page.display("\(LaTeX.render(factors)) = 0")
            page.say("and a product is zero exactly when one of its factors is.")
        }
        guard let roots = polynomial.roots else { throw Refusal.unsolved }
        let real = Self.distinctReal(roots, of: polynomial)
        let found = (try? solutions(answers[0], answers[1])) ?? ([], [])
        let values = found.0.map { Evaluation.value($0) }
        let realFound = zip(zip(found.0, found.1), values).filter { $0.1?.isReal == true }
        let areRight = realFound.allSatisfy { found in
            real.contains { Complex($0).isClose(to: found.1 ?? .i, tolerance: 1e-5) }
        }
        guard areRight, realFound.count == real.count, values.allSatisfy({ $0 != nil }) else {
            return sayNumeric(real, polynomial.degree, unknown)
        }
        guard !real.isEmpty else {
            let areSolutions = values.allSatisfy { Sampling.holds(relation, [unknown: $0 ?? Complex(.nan)]) == true }
            if areSolutions, values.count == Self.distinctCount(roots) {
                return say(solutions: found.0, found.1, unknown, isComplex: true)
            }
            page.say("None of its solutions is a real number.")
            return page.answer(words: "no real solution")
        }
        if realFound.count < Self.distinctCount(roots) {
            page.say("These are the real solutions; the others are complex.")
        }
        say(solutions: realFound.map(\.0.0), realFound.map(\.0.1), unknown, isComplex: false)
    }

    private func sayNumeric(_ real: [Double], _ degree: Int, _ unknown: Variable) {
        guard !real.isEmpty else {
            page.say("None of its solutions is a real number.")
            return page.answer(words: "no real solution")
        }
        page.say("There is no simple closed form for all of them, so the real solutions are given numerically.")
        page.answer(real.map { "\(unknown.name) \\approx \(Decimal.shown($0))" }.joined(separator: ",\\; "))
    }

    /// Real roots, each once.
    ///
    /// A double root comes out with an error of about 10⁻⁷, so closeness is generous.
    private static func distinctReal(_ roots: [Complex], of polynomial: Polynomial) -> [Double] {
        var real: [Double] = []
        for root in roots.sorted(by: { $0.real < $1.real })
        where abs(root.imaginary) < 1e-4 * max(1, root.magnitude) {
            let isClustered = roots.filter { $0.isClose(to: root, tolerance: 1e-3) }.count > 1
            guard isClustered || abs(root.imaginary) < 1e-8 * max(1, root.magnitude) else { continue }
            if let last = real.last, Complex(last).isClose(to: Complex(root.real), tolerance: 1e-3) { continue }
            real.append(root.real)
        }
        return real
    }

    private static func distinctCount(_ roots: [Complex]) -> Int {
        var distinct: [Complex] = []
        for root in roots where !distinct.contains(where: { $0.isClose(to: root, tolerance: 1e-3) }) {
            distinct.append(root)
        }
        return distinct.count
    }

    // MARK: Answers

    /// The solutions in exact and in decimal form, one beside the other.
    func solutions(_ exact: String?, _ decimal: String?) throws(Refusal) -> ([Expression], [Expression]) {
        func list(_ answer: String?) -> [Expression]? {
            switch CalculatorValue(answer) {
            case .expression(let value): [value]
            case .list(let values): values
            case .table, .relations, .always, .never, .unsolved: nil
            }
        }
        let exact = list(exact)
        let decimal = list(decimal)
        guard let any = exact ?? decimal else { throw .unsolved }
        guard let exact, let decimal, exact.count == decimal.count else { return (any, any) }
        return (exact, decimal)
    }

    /// `x = 2` or `x = 2, x = 3`, with decimals where the exact form is not a plain number.
    func say(solutions: [Expression], _ decimals: [Expression], _ unknown: Variable, isComplex: Bool) {
        let pairs = zip(solutions, decimals).sorted { left, right in
            (Evaluation.real(left.0) ?? 0) < (Evaluation.real(right.0) ?? 0)
        }
        let parts = pairs.map { exact, decimal in
            let isRounded = exact.hasDecimals
            let shown = "\(unknown.name) \(isRounded ? "\\approx" : "=") \(LaTeX.render(exact))"
            guard !isComplex, !isRounded, exact.variables.isEmpty, !exact.isPlainNumber, exact.literalFraction == nil
            else { return shown }
            if decimal != exact, decimal.isPlainNumber { return shown + " \\approx \(LaTeX.render(decimal))" }
            return Evaluation.real(exact).map { shown + " \\approx \(Decimal.shown($0))" } ?? shown
        }
        if isComplex {
            page.say("In the real numbers there is no solution; with the imaginary unit \\(i\\) they are:")
        }
        page.answer(parts.joined(separator: ",\\; "))
    }
}
