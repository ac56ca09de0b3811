extension Desk {
    /// The shortest form of an expression with unknowns.
    func simplify(_ expression: Expression) async throws {
        page.say("We simplify")
        page.display(LaTeX.render(expression))
        let answers = try await ask(.exact(CalculatorText(expression)), .exact(.factor(expression)))
        let forms = answers.compactMap { CalculatorValue.expression($0) }.filter { form in
            switch Sampling.compare(form, expression) {
            case .agrees: true
            case .differs, .unknown: false
            }
        }
        guard !forms.isEmpty else {
            throw answers.contains { $0 != nil } ? Refusal.doubtful : Refusal.unsolved
        }
        guard let shortest = forms.min(by: { $0.size < $1.size }), shortest.size < expression.size else {
            let other = forms[0]
            guard LaTeX.render(other) != LaTeX.render(expression), other.size <= expression.size + 2 else {
                page.say("This is already in its simplest form.")
                page.answer(LaTeX.render(expression))
                return
            }
            finish(expression, other, "Collect like terms and cancel what cancels:")
            return
        }
        finish(expression, shortest, "Collect like terms and cancel what cancels:")
    }

    func expand(_ expression: Expression) async throws {
        page.say("We multiply out, every term of one factor with every term of the other:")
        page.display(LaTeX.render(expression))
        let variables = expression.freeVariables
        let own = variables.count == 1 ? variables.first.flatMap { Polynomial(expression, in: $0) } : nil
        let answer = try await ask(.exact(.expand(expression)))[0]
        guard (answer?.utf8.count ?? 0) <= CalculatorValue.lengthMax else { throw Refusal.tooLong }
        guard let result = CalculatorValue.expression(answer) else { throw Refusal.unsolved }
        try checkEqual(result, expression)
        let hasSum = expression.contains { $0.terms.count > 1 }
        if hasSum, result.isProduct, LaTeX.render(result) == LaTeX.render(expression) { throw Refusal.tooLong }
        // The same polynomial in the usual order of powers.
        let ordered = variables.first.flatMap { own?.expression(in: $0) } ?? result
        finish(expression, ordered, "Then we collect like terms:")
    }

    func factor(_ expression: Expression) async throws {
        if expression.freeVariables.isEmpty { return try await primeFactors(expression) }
        page.say("We look for the factors of")
        page.display(LaTeX.render(expression))
        let answer = try await ask(.exact(.factor(expression)))[0]
        guard let result = CalculatorValue.expression(answer)?.withTidyFactors else { throw Refusal.unsolved }
        try checkEqual(result, expression)
        guard result.isProduct else {
            page.say("There are no simpler factors with whole or rational coefficients.")
            page.answer(LaTeX.render(expression))
            return
        }
        if let hint = Self.pattern(expression) { page.say(hint) }
        finish(expression, result, "Written as a product:")
        return
    }

    private func primeFactors(_ expression: Expression) async throws {
        if case .negative(let positive) = expression {
            page.say("The sign stays in front; we factor \(math(positive)).")
            return try await primeFactors(positive, sign: "-")
        }
        try await primeFactors(expression, sign: "")
    }

    private func primeFactors(_ expression: Expression, sign: String) async throws {
        page.say("We split \(math(expression)) into prime numbers.")
        let answer = try await ask(.exact(.factor(expression)))[0]
        guard let result = CalculatorValue.expression(answer), !result.hasDecimals else { throw Refusal.unsolved }
        try checkEqual(result, expression)
        if result.isPlainNumber {
            page.say("It has no divisors but one and itself.")
            return page.answer(sign + LaTeX.render(result))
        }
        page.say("Dividing by the primes from the smallest on gives")
        page.display("\(LaTeX.render(expression)) = \(LaTeX.render(result))")
        page.answer(sign + LaTeX.render(result))
    }

    private static func pattern(_ expression: Expression) -> String? {
        guard expression.freeVariables.count == 1, let variable = expression.freeVariables.first,
            let polynomial = Polynomial(expression, in: variable), polynomial.degree == 2, polynomial[2] == .one
        else { return nil }
        if polynomial[1] == .zero {
            return "This is a difference of two squares if the last term is one: \\(a^{2} - b^{2} = (a - b)(a + b)\\)."
        }
        guard polynomial[1].isInteger, polynomial[0].isInteger else { return nil }
        return """
            We look for two numbers with the sum \(math(polynomial[1].expression)) and the product \
            \(math(polynomial[0].expression)).
            """
    }

    func checkEqual(_ result: Expression, _ expression: Expression) throws(Refusal) {
        switch Sampling.compare(result, expression) {
        case .agrees: break
        case .differs: throw .doubtful
        case .unknown: throw .unsolved
        }
    }

    private func finish(_ expression: Expression, _ result: Expression, _ sentence: String) {
        page.say(sentence)
        page.display("\(LaTeX.render(expression)) = \(LaTeX.render(result))")
        page.answer(LaTeX.render(result))
    }
}

extension Expression {
    /// A product with each factor in the usual order of powers.
    var withTidyFactors: Expression {
        let factors = self.factors.map { factor -> Expression in
            guard let variable = factor.freeVariables.first, factor.freeVariables.count == 1 else { return factor }
            if case .operation(.power, let base, let exponent) = factor {
                return (Polynomial(base, in: variable)?.expression(in: variable) ?? base) ^ exponent
            }
            return Polynomial(factor, in: variable)?.expression(in: variable) ?? factor
        }
        return factors.dropFirst().reduce(factors[0], *)
    }

    /// More than one factor, or a power of a sum.
    var isProduct: Bool {
        switch self {
        case .negative(let inner): inner.isProduct
        case .operation(.multiply, _, _): true
        case .operation(.power, let base, _): base.terms.count > 1
        case .operation(.divide, let above, _): above.isProduct
        case .number, .constant, .variable, .unit, .operation, .function, .factorial: false
        }
    }
}
