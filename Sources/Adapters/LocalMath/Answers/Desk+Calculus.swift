extension Desk {
    // MARK: Derivatives

    func differentiate(_ expression: Expression, by variable: Variable, order: Int) async throws {
        let sign = order == 1 ? "\\frac{d}{d\(variable.name)}" : "\\frac{d^{\(order)}}{d\(variable.name)^{\(order)}}"
        let shown = "\(sign)\\left[\(LaTeX.render(expression))\\right]"
        page.say("We differentiate with respect to \(math(variable.expression)):")
        page.display(shown)
        for rule in DerivativeRule.rules(for: expression, by: variable) { page.say(rule.sentence(variable)) }
        let parts = DerivativeRule.parts(of: expression, by: variable)
        var questions: [Calculator.Question] = [.exact(.derivative(expression, by: variable))]
        if order == 1 { questions.append(.exact(.factoredDerivative(expression, by: variable))) }
        if order > 1 { questions.append(.exact(.derivative(expression, by: variable, order: order))) }
        questions += parts.map { .exact(.derivative($0.expression, by: variable)) }
        let answers = try await ask(questions)
        guard var first = CalculatorValue.expression(answers[0]) else { throw Refusal.unsolved }
        if order == 1, let factored = CalculatorValue.expression(answers[1])?.withTidyFactors,
            factored.size * 2 < first.size, case .agrees = Sampling.compare(factored, first)
        {
            first = factored
        }
        try checkDerivative(first, of: expression, by: variable)
        sayParts(parts, answers.suffix(parts.count), variable)
        guard order > 1 else {
            page.say(parts.isEmpty ? "This gives" : "Put together:")
            page.display("\(shown) = \(LaTeX.render(first))")
            return page.answer(LaTeX.render(first))
        }
        page.say("The first derivative is \(math(first)). Differentiating again, in all \(order) times:")
        guard let result = CalculatorValue.expression(answers[1]) else { throw Refusal.unsolved }
        var before = first
        for _ in 2..<max(order, 2) {
            let next = try await ask(.exact(.derivative(before, by: variable)))[0]
            guard let value = CalculatorValue.expression(next) else { throw Refusal.unsolved }
            try checkDerivative(value, of: before, by: variable)
            before = value
        }
        try checkDerivative(result, of: before, by: variable)
        page.display("\(shown) = \(LaTeX.render(result))")
        page.answer(LaTeX.render(result))
    }

    private func checkDerivative(
        _ derivative: Expression,
        of expression: Expression,
        by variable: Variable,
    ) throws(Refusal) {
        switch Sampling.isDerivative(derivative, of: expression, by: variable) {
        case .agrees: break
        case .differs: throw .doubtful
        case .unknown: throw .unsolved
        }
    }

    private func sayParts(_ parts: [DerivativeRule.Part], _ answers: ArraySlice<String?>, _ variable: Variable) {
        for (part, answer) in zip(parts, answers) {
            guard let derivative = CalculatorValue.expression(answer),
                case .agrees = Sampling.isDerivative(derivative, of: part.expression, by: variable)
            else { continue }
            let function = "\(part.name) = \(LaTeX.render(part.expression))"
            let slope = "\(part.name)' = \(LaTeX.render(derivative))"
            page.say("With \(LaTeX.inline(function)) we have \(LaTeX.inline(slope)).")
        }
    }

    // MARK: Integrals

    func integrate(_ expression: Expression, by variable: Variable, bounds: Problem.Bounds?) async throws {
        let integrand = LaTeX.render(expression)
        let inner = (expression.terms.count > 1 ? "\\left(\(integrand)\\right)" : integrand) + " \\, d\(variable.name)"
        guard let bounds else { return try await antiderivative(expression, inner, by: variable) }
        let limits = "_{\(LaTeX.render(bounds.from))}^{\(LaTeX.render(bounds.to))}"
        page.say("We work out the definite integral")
        page.display("\\int\(limits) \(inner)")
        guard expression.freeVariables.subtracting([variable]).isEmpty, bounds.from.freeVariables.isEmpty,
            bounds.to.freeVariables.isEmpty
        else { throw Refusal.unsolved }
        let definite = CalculatorText.integral(expression, by: variable, bounds: bounds)
        var answers = try await ask(
            .exact(.integral(expression, by: variable)),
            .exact(definite),
            .decimal(definite)
        )
        if case .unsolved = CalculatorValue(answers[1]), let from = Evaluation.real(bounds.from),
            let to = Evaluation.real(bounds.to), from.isFinite, to.isFinite,
            let function = CalculatorValue.expression(answers[0]).map(Self.withoutConstant)
        {
            let ends = [bounds.to, bounds.from].map { function.replacing(variable, with: $0) }
            answers[1] = try await ask(.exact(CalculatorText(ends[0] - ends[1])))[0]
        }
        try sayDefinite(expression, "\\int\(limits) \(inner)", variable, bounds, answers)
    }

    private func antiderivative(_ expression: Expression, _ inner: String, by variable: Variable) async throws {
        page.say("We look for a function whose derivative is the integrand:")
        page.display("\\int \(inner)")
        let answer = try await ask(.exact(.integral(expression, by: variable)))[0]
        guard let result = CalculatorValue.expression(answer) else { throw Refusal.unsolved }
        let function = Self.withoutConstant(result)
        try checkDerivative(expression, of: function, by: variable)
        for rule in IntegralRule.sentences(for: expression, by: variable) { page.say(rule) }
        let shown = LaTeX.render(function + Variable.integrationConstant.expression)
        page.display("\\int \(inner) = \(shown)")
        if function.isImaginary, !expression.isImaginary {
            page.say("The imaginary unit \\(i\\) only helps to write it; where the integrand is real, so is this.")
        }
        page.say(
            "Check: the derivative of \(math(function)) is the integrand again; \\(C\\) stands for any constant."
        )
        page.answer(shown)
    }

    private static func withoutConstant(_ expression: Expression) -> Expression {
        switch expression {
        case .operation(.add, let left, .variable(.integrationConstant)): left
        case .operation(.add, .variable(.integrationConstant), let right): right
        case .operation(.subtract, .variable(.integrationConstant), let right): .negative(right)
        case .number, .constant, .variable, .unit, .negative, .operation, .function, .factorial:
            expression.replacing(.integrationConstant, with: .number(0))
        }
    }

    private func sayDefinite(
        _ expression: Expression,
        _ shown: String,
        _ variable: Variable,
        _ bounds: Problem.Bounds,
        _ answers: [String?],
    ) throws {
        let own = Self.numeric(bounds).flatMap { from, to in
            Quadrature.integral(expression, by: variable, from: from, to: to)
        }
        let exact = CalculatorValue.expression(answers[1])
        let decimal = CalculatorValue.expression(answers[2])
        guard let own else {
            // Without our own number there is no check: divergent or too wild.
            page.say("The integral does not settle to a finite value that I can confirm.")
            throw Refusal.unsolved
        }
        func isRight(_ value: Expression) -> Bool {
            Evaluation.value(value)?.isClose(to: Complex(own), tolerance: 1e-6) == true
        }
        let decimalShown = decimal.flatMap { isRight($0) ? LaTeX.render($0) : nil } ?? Decimal.shown(own, digits: 7)
        let value = exact.flatMap { exact in
            isRight(exact) && !exact.hasDecimals && exact.size < 60 ? exact : nil
        }
        guard let value else {
            if let exact, Evaluation.value(exact) != nil, !isRight(exact) { throw Refusal.doubtful }
            page.say("There is no simple antiderivative to use here, so we add up many thin strips numerically.")
            page.display("\(shown) \\approx \(decimalShown)")
            return page.answer("\\approx \(decimalShown)")
        }
        sayFundamental(expression, variable, bounds, answers[0])
        page.display("\(shown) = \(LaTeX.render(value))")
        guard value.literalFraction?.isInteger != true else { return page.answer(LaTeX.render(value)) }
        page.answer("\(LaTeX.render(value)) \(Self.isExact(value, decimalShown) ? "=" : "\\approx") \(decimalShown)")
    }

    private static func isExact(_ value: Expression, _ shown: String) -> Bool {
        guard let decimal = value.literalFraction?.decimal else { return false }
        return decimal.isExact && decimal.shown == shown
    }

    private func sayFundamental(
        _ expression: Expression,
        _ variable: Variable,
        _ bounds: Problem.Bounds,
        _ answer: String?,
    ) {
        guard let result = CalculatorValue.expression(answer) else { return }
        let function = Self.withoutConstant(result)
        guard case .agrees = Sampling.isDerivative(expression, of: function, by: variable) else { return }
        page.say("An antiderivative is")
        page.display("F(\(variable.name)) = \(LaTeX.render(function))")
        let (from, to) = (LaTeX.render(bounds.from), LaTeX.render(bounds.to))
        if bounds.from.hasInfinity || bounds.to.hasInfinity {
            return page.say("We take the difference of its limits at the two ends:")
        }
        page.say("By the fundamental theorem the integral is \(LaTeX.inline("F(\(to)) - F(\(from))")):")
    }

    private static func numeric(_ bounds: Problem.Bounds) -> (Double, Double)? {
        func value(_ bound: Expression) -> Double? {
            if bound == .constant(.infinity) { return .infinity }
            if bound == .negative(.constant(.infinity)) { return -.infinity }
            return Evaluation.real(bound)
        }
        guard let from = value(bounds.from), let to = value(bounds.to) else { return nil }
        return (from, to)
    }

    // MARK: Limits

    func limit(_ expression: Expression, of variable: Variable, at place: Expression) async throws {
        let shown = "\\lim_{\(variable.name) \\to \(LaTeX.render(place))} \(LaTeX.render(expression))"
        page.say("We look for the limit")
        page.display(shown)
        guard expression.freeVariables == [variable] else { throw Refusal.unsolved }
        if Self.jumps(expression, variable, place) {
            page.say("From the left the values go elsewhere than from the right, so there is no common limit.")
            return page.answer(words: "the limit does not exist")
        }
        let answer = try await ask(.exact(.limit(expression, of: variable, at: place)))[0]
        guard let value = CalculatorValue.expression(answer), value.variables.isEmpty else { throw Refusal.unsolved }
        guard Self.approaches(expression, variable, place, value) else { throw Refusal.doubtful }
        let isInfinite = place.hasInfinity
        if !isInfinite, Evaluation.value(expression, [variable: Evaluation.value(place) ?? Complex(.nan)]) == nil {
            page.say("Putting the value in directly gives no result, so we look at values closer and closer to it.")
        }
        page.say("On the way there the values settle:")
        page.display("\(shown) = \(LaTeX.render(value))")
        page.answer(LaTeX.render(value))
    }

    /// True if the values grow without bound in different directions on the two sides.
    private static func jumps(_ expression: Expression, _ variable: Variable, _ place: Expression) -> Bool {
        guard let center = Evaluation.real(place) else { return false }
        func at(_ x: Double) -> Double? { Evaluation.real(expression, [variable: Complex(x)]) }
        guard let left = at(center - 1e-6), let right = at(center + 1e-6), let before = at(center - 1e-3),
            let after = at(center + 1e-3)
        else { return false }
        let settles = abs(left - before) < 0.01 && abs(right - after) < 0.01
        if settles, abs(left - right) > 0.1 { return true }
        return left.sign != right.sign && abs(left) > 10 * abs(before) && abs(right) > 10 * abs(after)
            && min(abs(left), abs(right)) > 100
    }

    /// True if the values near the place come near the limit, from both sides.
    private static func approaches(
        _ expression: Expression,
        _ variable: Variable,
        _ place: Expression,
        _ value: Expression,
    ) -> Bool {
        func at(_ x: Double) -> Double? { Evaluation.real(expression, [variable: Complex(x)]) }
        let sides: [(Double, Double)]
        if place == .constant(.infinity) {
            sides = [(1e3, 1e5)]
        } else if place == .negative(.constant(.infinity)) {
            sides = [(-1e3, -1e5)]
        } else if let center = Evaluation.real(place) {
            sides = [(center + 1e-2, center + 1e-4), (center - 1e-2, center - 1e-4)]
        } else {
            return false
        }
        // At the end of its domain a function has one side only.
        let defined = sides.filter { at($0.0) != nil || at($0.1) != nil }
        return !defined.isEmpty
            && defined.allSatisfy { far, near in
                guard let first = at(far), let second = at(near) else { return false }
                if value.hasInfinity {
                    let sign: Double = value == .constant(.infinity) ? 1 : -1
                    return second * sign > 5 && second * sign > first * sign + 1
                }
                guard let target = Evaluation.real(value) else { return false }
                let (before, after) = (abs(first - target), abs(second - target))
                return after <= 1e-6 * max(1, abs(target)) || (after < before / 5 && after < 0.2 * max(1, abs(target)))
            }
    }
}
