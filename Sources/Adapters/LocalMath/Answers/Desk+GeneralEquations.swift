extension Desk {
    /// An equation that is no polynomial with known coefficients.
    func solveGeneral(_ relation: Relation, for unknown: Variable) async throws {
        let question = CalculatorText.solve(relation, for: unknown)
        let answers = try await ask(.exact(question), .decimal(question))
        let isAlone = relation.variables == [unknown]
        let scan = isAlone ? ZeroScan.zeros(of: relation.difference, in: unknown) : []
        guard let zeros = scan else {
            guard Self.isIdentity(relation) else { throw Refusal.unsolved }
            return sayIdentity(unknown)
        }
        switch CalculatorValue(answers[0]) {
        case .expression(let place) where place.hasInfinity && zeros.isEmpty: sayNone(unknown)
        case .list(let places) where places.allSatisfy(\.hasInfinity) && zeros.isEmpty: sayNone(unknown)
        case .expression, .list:
            let (exact, decimal) = try solutions(answers[0], answers[1])
            try say(found: exact, decimal, relation, unknown, zeros)
        case .never where zeros.isEmpty: sayNone(unknown)
        case .never: sayNumeric(zeros, relation, unknown)
        case .always, .relations, .table, .unsolved:
            if Self.isIdentity(relation) { return sayIdentity(unknown) }
            guard !zeros.isEmpty else { throw Refusal.unsolved }
            sayNumeric(zeros, relation, unknown)
        }
    }

    private func sayIdentity(_ unknown: Variable) {
        page.say("Both sides are equal for every value for which they are defined.")
        page.answer(words: "every \(math(unknown.expression)) for which both sides are defined is a solution")
    }

    private func sayNone(_ unknown: Variable) {
        page.say("Whatever real number \(math(unknown.expression)) is, the two sides are never equal.")
        page.answer(words: "no real solution")
    }

    private static func isIdentity(_ relation: Relation) -> Bool {
        if case .agrees = Sampling.compare(relation.left, relation.right) { true } else { false }
    }

    /// Keeps the solutions that pass the substitution, and adds a note if numeric search found more.
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
        let kept = zip(exact, decimal).filter { exact, decimal in
            fits(exact, relation, unknown, isPeriodic) || fits(decimal, relation, unknown, isPeriodic)
        }
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
            if exact.allSatisfy(\.isImaginary) || decimal.allSatisfy(\.isImaginary) {
                page.say("In the real numbers there is no solution; with the imaginary unit \\(i\\) they are:")
            }
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
        let shown = zeros.sorted { abs($0) < abs($1) }.prefix(ZeroScan.zerosMax).sorted()
        page.say(
            """
            There is no simple exact form, so we look for places where the difference of the two sides changes its sign \
            (between \(LaTeX.inline(String(Int(ZeroScan.range.lowerBound)))) and \
            \(LaTeX.inline(String(Int(ZeroScan.range.upperBound))))) and close in on them.
            """
        )
        if zeros.count > ZeroScan.zerosMax { page.say("There are more; these are the ones nearest to zero.") }
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
}

extension Function {
    var isLogarithm: Bool { self == .ln || self == .log10 || self == .log }
}
