extension Desk {
    /// An equation that is no polynomial with known coefficients.
    func solveGeneral(_ relation: Relation, for unknown: Variable) async throws {
        let question = CalculatorText.solve(relation, for: unknown)
        let answers = try await ask(.exact(question), .decimal(question))
        let isAlone = relation.variables == [unknown]
        let zeros = isAlone ? ZeroScan.zeros(of: relation.difference, in: unknown) : []
        switch CalculatorValue(answers[0]) {
        case .expression, .list:
            let (exact, decimal) = try solutions(answers[0], answers[1])
            try say(found: exact, decimal, relation, unknown, zeros)
        case .never:
            guard zeros.isEmpty else { return sayNumeric(zeros, relation, unknown) }
            page.say("Whatever real number \(math(unknown.expression)) is, the two sides are never equal.")
            page.answer(words: "no real solution")
        case .always:
            guard Self.isIdentity(relation) else { throw Refusal.doubtful }
            page.say("Both sides are equal for every value for which they are defined.")
            page.answer(words: "every \(math(unknown.expression)) is a solution, so there are infinitely many")
        case .relations, .table, .unsolved:
            if case .agrees = Sampling.compare(relation.left, relation.right) {
                page.say("Both sides are equal for every value for which they are defined.")
                return page.answer(
                    words: "every \(math(unknown.expression)) for which both sides are defined is a solution"
                )
            }
            guard !zeros.isEmpty else { throw Refusal.unsolved }
            sayNumeric(zeros, relation, unknown)
        }
    }

    private static func isIdentity(_ relation: Relation) -> Bool {
        if case .agrees = Sampling.compare(relation.left, relation.right) { true } else { false }
    }

    /// Keeps what passes the substitution, and says so when the numbers know of more.
    private func say(
        found exact: [Expression],
        _ decimal: [Expression],
        _ relation: Relation,
        _ unknown: Variable,
        _ zeros: [Double],
    ) throws {
        let isPeriodic =
            exact.contains { $0.variables.contains(.anyInteger) } && unknown != .anyInteger
            && !relation.variables.contains(.anyInteger)
        let kept = zip(exact, decimal).filter { fits($0.0, relation, unknown, isPeriodic) }
        guard !kept.isEmpty, kept.count == exact.count else {
            guard kept.isEmpty, !zeros.isEmpty else { throw Refusal.doubtful }
            return sayNumeric(zeros, relation, unknown)
        }
        let missing = zeros.filter { zero in !kept.contains { Self.covers($0.0, zero, isPeriodic) } }
        let real = kept.filter { $0.0.variables.isEmpty ? Evaluation.value($0.0)?.isReal == true : true }
        guard missing.isEmpty else {
            guard !isPeriodic, zeros.count <= ZeroScan.zerosMax else { throw Refusal.doubtful }
            return sayNumeric(zeros, relation, unknown)
        }
        method(relation, unknown)
        if isPeriodic {
            page.say("The functions repeat, so there is a solution for every integer \\(n\\):")
            let parts = exact.map { "\(unknown.name) = \(LaTeX.render($0))" }
            return page.answer(parts.joined(separator: ",\\; ") + ",\\quad n \\in \\mathbb{Z}")
        }
        if relation.variables.count > 1 {
            page.say("Divisors are taken not to be zero. Substituting the result makes both sides equal.")
        } else {
            page.say("Substituting \(exact.count == 1 ? "the result" : "each result") makes both sides equal.")
        }
        let shown = real.isEmpty ? kept : real
        say(solutions: shown.map(\.0), shown.map(\.1), unknown, isComplex: real.isEmpty)
    }

    private func fits(_ value: Expression, _ relation: Relation, _ unknown: Variable, _ isPeriodic: Bool) -> Bool {
        if isPeriodic {
            return [-2, 0, 1, 3].allSatisfy { turn in
                guard let place = Evaluation.value(value, [.anyInteger: Complex(Double(turn))]) else { return false }
                return Sampling.holds(relation, [unknown: place]) == true
            }
        }
        let others = relation.variables.subtracting([unknown])
        if others.isEmpty {
            guard let place = Evaluation.value(value) else { return false }
            return Sampling.holds(relation, [unknown: place]) == true
        }
        let left = relation.left.replacing(unknown, with: value)
        let right = relation.right.replacing(unknown, with: value)
        if case .agrees = Sampling.compare(left, right) { return true }
        return false
    }

    private static func covers(_ value: Expression, _ zero: Double, _ isPeriodic: Bool) -> Bool {
        let turns = isPeriodic ? -60...60 : 0...0
        return turns.contains { turn in
            Evaluation.value(value, [.anyInteger: Complex(Double(turn))])?.isClose(to: Complex(zero), tolerance: 1e-5)
                == true
        }
    }

    private func sayNumeric(_ zeros: [Double], _ relation: Relation, _ unknown: Variable) {
        let shown = zeros.prefix(ZeroScan.zerosMax)
        page.say(
            """
            There is no simple exact form, so we look for places where the difference of the two sides changes its sign \
            (between \(LaTeX.inline(String(Int(ZeroScan.range.lowerBound)))) and \
            \(LaTeX.inline(String(Int(ZeroScan.range.upperBound))))) and close in on them.
            """
        )
        if zeros.count > ZeroScan.zerosMax { page.say("There are more; these are the first ones in that range.") }
        let parts = shown.map { zero in
            let isExact =
                Evaluation.real(relation.difference, [unknown: Complex(zero.rounded())]) == 0
                && abs(zero - zero.rounded()) < 1e-9
            return "\(unknown.name) \(isExact ? "=" : "\\approx") \(Decimal.shown(zero))"
        }
        page.answer(parts.joined(separator: ",\\; "))
    }

    /// One sentence on the way that leads to the solution.
    private func method(_ relation: Relation, _ unknown: Variable) {
        let inside = { (condition: (Expression) -> Bool) in
            relation.left.contains { $0.variables.contains(unknown) && condition($0) }
                || relation.right.contains { $0.variables.contains(unknown) && condition($0) }
        }
        if relation.variables.count > 1 {
            page.say("The other letters are treated as known; we bring \(math(unknown.expression)) to one side alone.")
        } else if inside({ if case .function(.abs, _) = $0 { true } else { false } }) {
            page.say("An absolute value has two cases: what is inside is positive, or it is negative.")
        } else if inside({ if case .function(.sqrt, _) = $0 { true } else { false } }) {
            page.say("We isolate the root and square both sides, then check, because squaring can add false solutions.")
        } else if inside({ if case .function(let function, _) = $0 { function.isLogarithm } else { false } }) {
            page.say("We isolate the logarithm and raise its base to both sides.")
        } else if inside({ if case .function(let function, _) = $0 { function.isTrigonometric } else { false } }) {
            page.say("We isolate the trigonometric function and apply its inverse (angles in radians).")
        } else if inside({
            if case .operation(.power, _, let exponent) = $0 { exponent.variables.contains(unknown) } else { false }
        }) {
            page.say("The unknown is in the exponent, so we take logarithms of both sides.")
        } else if inside({
            if case .operation(.divide, _, let below) = $0 { below.variables.contains(unknown) } else { false }
        }) {
            page.say("We multiply both sides by the denominator, which must not be zero.")
        }
    }

    // MARK: Inequalities

    func solveInequality(_ relation: Relation, for unknown: Variable) async throws {
        guard relation.variables == [unknown] else { throw Refusal.unsolved }
        page.say("We look for all \(math(unknown.expression)) with")
        page.display(LaTeX.render(relation))
        let answer = try await ask(.exact(.solve(relation, for: unknown)))[0]
        switch CalculatorValue(answer) {
        case .relations(let alternatives):
            try checkInequality(relation, alternatives, unknown)
            inequalityStep(relation, unknown)
            page.answer(alternatives.map(Self.shown).joined(separator: "\\;\\text{ or }\\;"))
        case .expression(let value):
            let only = Relation(left: unknown.expression, comparison: .equal, right: value)
            try checkInequality(relation, [[only]], unknown)
            page.answer(LaTeX.render(only))
        case .always:
            try checkInequality(relation, [[]], unknown)
            page.say("This is true for every real number.")
            page.answer(words: "every real \(math(unknown.expression)) is a solution")
        case .never:
            try checkInequality(relation, [], unknown)
            page.say("This is true for no real number.")
            page.answer(words: "no solution")
        case .list, .table, .unsolved: throw Refusal.unsolved
        }
    }

    private func inequalityStep(_ relation: Relation, _ unknown: Variable) {
        guard let polynomial = Polynomial(relation.difference, in: unknown) else { return }
        if polynomial.degree == 1 {
            page.say(
                "Collect the unknown on one side and divide by its factor; a negative factor turns the sign around."
            )
        } else {
            page.say(
                "The sign can only change where both sides are equal, so we test the intervals between those places."
            )
        }
    }

    /// `-2 < x < 2` for two relations that share their middle.
    private static func shown(_ chain: [Relation]) -> String {
        guard chain.count == 2, chain[0].right == chain[1].left else {
            return chain.map { LaTeX.render($0) }.joined(separator: "\\;\\text{ and }\\;")
        }
        return "\(LaTeX.render(chain[0])) \(LaTeX.sign(chain[1].comparison)) \(LaTeX.render(chain[1].right))"
    }

    /// Both must say the same at many places, those near the borders among them.
    private func checkInequality(
        _ relation: Relation,
        _ alternatives: [[Relation]],
        _ unknown: Variable,
    ) throws(Refusal) {
        var places = (-200...200).map { Double($0) * 0.2497 + 0.0313 }
        for border in alternatives.joined().flatMap({ [$0.left, $0.right] }) {
            if let value = Evaluation.real(border) { places += [value - 1e-4, value + 1e-4, value] }
        }
        var seen = 0
        for place in places {
            let values = [unknown: Complex(place)]
            let isOriginal = Sampling.holds(relation, values) ?? false
            let isClaimed = alternatives.contains { $0.allSatisfy { Sampling.holds($0, values) == true } }
            // On a border, rounding may fall to either side.
            let isOnBorder = alternatives.joined().contains { part in
                Sampling.holds(Relation(left: part.left, comparison: .equal, right: part.right), values) == true
            }
            guard isOriginal == isClaimed || isOnBorder else { throw .doubtful }
            seen += 1
        }
        guard seen > 0 else { throw .doubtful }
    }
}

extension Function {
    var isLogarithm: Bool { self == .ln || self == .log10 || self == .log }
}
