extension Desk {
    /// As many equations as unknowns, two to four.
    func solve(_ relations: [Relation], for unknowns: [Variable]) async throws {
        let names = unknowns.map { math($0.expression) }.joined(separator: ", ")
        page.say("We solve the system for \(names):")
        page.display(Self.cases(relations.map { LaTeX.render($0) }))
        let forms = relations.compactMap { LinearForm($0.difference) }
        let others = relations.reduce(into: Set<Variable>()) { $0.formUnion($1.variables) }.subtracting(unknowns)
        guard others.isEmpty else { throw Refusal.unsolved }
        if forms.count == relations.count, let solution = LinearSystem.solve(forms, for: unknowns) {
            try await solveLinear(relations, forms, unknowns, solution)
        } else if relations.count == 2 {
            try await solveBySubstitution(relations, unknowns)
        } else {
            throw Refusal.unsolved
        }
    }

    private static func cases(_ lines: [String]) -> String {
        "\\begin{cases} " + lines.joined(separator: " \\\\ ") + " \\end{cases}"
    }

    // MARK: Linear

    private func solveLinear(
        _ relations: [Relation],
        _ forms: [LinearForm],
        _ unknowns: [Variable],
        _ solution: LinearSystem.Solution,
    ) async throws {
        switch solution {
        case .none:
            page.say("Eliminating the unknowns leaves a false statement: the equations contradict each other.")
            page.answer(words: "no solution")
        case .infinitelyMany:
            page.say("The equations are not independent: at least one follows from the others.")
            page.answer(words: "infinitely many solutions")
        case .unique(let values):
            if relations.count == 2 { substitutionSteps(forms, unknowns, values) }
            if relations.count > 2 {
                page.say("We eliminate one unknown after the other, which leaves one value for each.")
            }
            let answer = try await ask(.exact(.solve(relations, for: unknowns)))[0]
            guard case .list(let found) = CalculatorValue(answer) else { throw Refusal.unsolved }
            let agree = zip(found, values).allSatisfy { found, value in
                Evaluation.value(found)?.isClose(to: Complex(value.value)) == true
            }
            guard agree, found.count == values.count else { throw Refusal.doubtful }
            try finish(relations, unknowns, [found])
        }
    }

    /// The first equation solved for one unknown and put into the second.
    private func substitutionSteps(_ forms: [LinearForm], _ unknowns: [Variable], _ values: [Fraction]) {
        let first = forms[0][unknowns[0]] != .zero ? 0 : 1
        let (own, other) = (unknowns[first], unknowns[1 - first])
        guard forms[0][own] != .zero, let slope = (forms[0][other] / forms[0][own]).flatMap(\.negated),
            let constant = (forms[0].constant / forms[0][own]).flatMap(\.negated)
        else { return }
        let line = Polynomial([constant, slope]).expression(in: other)
        page.say("Solve the first equation for \(math(own.expression)):")
        page.display("\(own.name) = \(LaTeX.render(line))")
        let value = values[1 - first]
        page.say("Put that into the second equation, which leaves only \(math(other.expression)):")
        page.display("\(other.name) = \(LaTeX.render(value.expression))")
        page.say("And back into the line above:")
        page.display("\(own.name) = \(LaTeX.render(values[first].expression))")
    }

    // MARK: Not linear

    /// Two equations: one is solved for one unknown and put into the other.
    private func solveBySubstitution(_ relations: [Relation], _ unknowns: [Variable]) async throws {
        var ways: [(equation: Int, unknown: Variable)] = []
        for equation in 0...1 {
            for unknown in unknowns where relations[equation].variables.contains(unknown) {
                ways.append((equation, unknown))
            }
        }
        let isolated = try await ask(ways.map { .exact(.solve(relations[$0.equation], for: $0.unknown)) })
        let usable = zip(ways, isolated).compactMap { way, answer -> (Int, Variable, Expression)? in
            guard let value = CalculatorValue.expression(answer), !value.variables.contains(.anyInteger),
                !value.contains({ if case .function = $0 { true } else { false } })
            else { return nil }
            return (way.equation, way.unknown, value)
        }
        guard let (equation, unknown, value) = usable.min(by: { $0.2.size < $1.2.size }),
            let other = unknowns.first(where: { $0 != unknown })
        else { throw Refusal.unsolved }
        guard
            case .agrees = Sampling.compare(
                relations[equation].left.replacing(unknown, with: value),
                relations[equation].right.replacing(unknown, with: value)
            )
        else { throw Refusal.doubtful }
        page.say("Solve one equation for \(math(unknown.expression)):")
        page.display("\(unknown.name) = \(LaTeX.render(value))")
        let rest = Relation(
            left: relations[1 - equation].left.replacing(unknown, with: value),
            comparison: .equal,
            right: relations[1 - equation].right.replacing(unknown, with: value)
        )
        page.say("Put that into the other equation:")
        page.display(LaTeX.render(rest))
        let answer = try await ask(.exact(.solve(rest, for: other)))[0]
        let places: [Expression]
        switch CalculatorValue(answer) {
        case .expression(let single): places = [single]
        case .list(let several): places = several
        case .never:
            page.say("No value makes this true.")
            return page.answer(words: "no solution")
        case .table, .relations, .always, .unsolved: throw Refusal.unsolved
        }
        let back = try await ask(places.map { .exact(CalculatorText(value.replacing(other, with: $0))) })
        let partners = back.compactMap { CalculatorValue.expression($0) }
        guard partners.count == places.count else { throw Refusal.unsolved }
        try finish(
            relations,
            unknowns,
            zip(places, partners).map { unknowns[0] == other ? [$0, $1] : [$1, $0] }
        )
    }

    // MARK: Answers

    private func finish(_ relations: [Relation], _ unknowns: [Variable], _ solutions: [[Expression]]) throws(Refusal) {
        for solution in solutions {
            var values: [Variable: Complex] = [:]
            for (unknown, value) in zip(unknowns, solution) { values[unknown] = Evaluation.value(value) }
            guard values.count == unknowns.count, relations.allSatisfy({ Sampling.holds($0, values) == true }) else {
                throw .doubtful
            }
        }
        if solutions.count == 1 {
            page.say("Check by substitution:")
            page.display(
                Self.cases(
                    relations.map { relation in
                        var (left, right) = (relation.left, relation.right)
                        for (unknown, value) in zip(unknowns, solutions[0]) {
                            left = left.replacing(unknown, with: value)
                            right = right.replacing(unknown, with: value)
                        }
                        return "\(LaTeX.render(left)) = \(LaTeX.render(right))"
                    }
                )
            )
        } else {
            page.say("Substituting each pair makes both equations true.")
        }
        let isReal = solutions.allSatisfy { $0.allSatisfy { Evaluation.value($0)?.isReal == true } }
        if !isReal { page.say("There are solutions that are not real numbers.") }
        let shown = solutions.map { solution in
            zip(unknowns, solution).map { "\($0.name) = \(LaTeX.render($1))" }.joined(separator: ",\\; ")
        }
        page.answer(shown.joined(separator: "\\quad\\text{or}\\quad "))
    }
}
