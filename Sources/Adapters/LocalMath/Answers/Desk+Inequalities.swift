extension Desk {
    /// An inequality with one unknown.
    func solveInequality(_ relation: Relation, for unknown: Variable) async throws {
        guard relation.variables == [unknown] else { throw Refusal.unsolved }
        page.say("We look for all \(math(unknown.expression)) with")
        page.display(LaTeX.render(relation))
        let answer = try await ask(.exact(.solve(relation, for: unknown)))[0]
        let found: [[Relation]]?
        switch CalculatorValue(answer) {
        case .relations(let alternatives): found = alternatives
        case .expression(let value):
            found = [[Relation(left: unknown.expression, comparison: .equal, right: value)]]
        case .always: found = [[]]
        case .never: found = []
        case .list, .table, .unsolved: found = nil
        }
        if let found, Self.isSolved(found, unknown), Self.fits([relation], found, unknown) {
            step(relation, unknown)
            return say(found, unknown)
        }
        try await solveByIntervals([relation], unknown)
    }

    /// Inequalities with the same unknown that hold together, such as `1 < 2x + 1 < 5`.
    func solveInequalities(_ relations: [Relation], for unknown: Variable) async throws {
        page.say("We look for all \(math(unknown.expression)) with")
        page.display(Self.shown(relations))
        try await solveByIntervals(relations, unknown)
    }

    private func solveByIntervals(_ relations: [Relation], _ unknown: Variable) async throws {
        let own = try await intervals(relations, unknown)
        guard Self.fits(relations, own, unknown) else { throw Refusal.doubtful }
        say(own, unknown)
    }

    private func say(_ alternatives: [[Relation]], _ unknown: Variable) {
        if alternatives.isEmpty {
            page.say("This is true for no real number.")
            page.answer(words: "no solution")
        } else if alternatives.contains([]) {
            page.say("This is true for every real number.")
            page.answer(words: "every real \(math(unknown.expression)) is a solution")
        } else {
            page.answer(alternatives.map(Self.shown).joined(separator: "\\;\\text{ or }\\;"))
        }
    }

    private func step(_ relation: Relation, _ unknown: Variable) {
        guard let polynomial = Polynomial(relation.difference, in: unknown) else { return }
        if polynomial.degree == 1 {
            page.say("Collect the unknown on one side and divide by its factor; a negative one turns the sign around.")
        } else if polynomial.degree > 1 {
            page.say("The sign can only change where both sides are equal, so we test the intervals in between.")
        }
    }

    /// `-2 < x < 2` for two relations that share their middle.
    private static func shown(_ chain: [Relation]) -> String {
        guard chain.count == 2, chain[0].right == chain[1].left else {
            return chain.map { LaTeX.render($0) }.joined(separator: "\\;\\text{ and }\\;")
        }
        return "\(LaTeX.render(chain[0])) \(LaTeX.sign(chain[1].comparison)) \(LaTeX.render(chain[1].right))"
    }

    // MARK: Checks

    /// True if the unknown is alone on one side of each relation.
    private static func isSolved(_ alternatives: [[Relation]], _ unknown: Variable) -> Bool {
        alternatives.joined().allSatisfy { part in
            (part.left == unknown.expression && Evaluation.real(part.right) != nil)
                || (part.right == unknown.expression && Evaluation.real(part.left) != nil)
        }
    }

    /// Both must agree at many points, including those near the borders.
    private static func fits(_ relations: [Relation], _ alternatives: [[Relation]], _ unknown: Variable) -> Bool {
        var places = (-200...200).map { Double($0) * 0.2497 + 0.0313 }
        for border in alternatives.joined().flatMap({ [$0.left, $0.right] }) {
            if let value = Evaluation.real(border) { places += [value - 1e-4, value + 1e-4] }
        }
        return places.allSatisfy { place in
            let values = [unknown: Complex(place)]
            let isClaimed = alternatives.contains { $0.allSatisfy { Sampling.holds($0, values) == true } }
            return relations.allSatisfy { Sampling.holds($0, values) ?? false } == isClaimed
        }
    }

    // MARK: Intervals

    /// Finds the places where the sign can change, and tests the intervals between them.
    private func intervals(_ relations: [Relation], _ unknown: Variable) async throws -> [[Relation]] {
        let denominators = relations.flatMap { Self.denominators(of: $0.difference, unknown) }.prefix(4)
        let equalities = relations.map { Relation(left: $0.left, comparison: .equal, right: $0.right) }
        let questions =
            equalities.map { CalculatorText.solve($0, for: unknown) }
            + denominators.map { .solve(Relation(left: $0, comparison: .equal, right: .number(0)), for: unknown) }
        var borders: [(place: Double, shown: Expression)] = []
        for answer in try await ask(questions.map { .exact($0) }) {
            let values: [Expression]
            switch CalculatorValue(answer) {
            case .expression(let value): values = [value]
            case .list(let several): values = several
            case .never: values = []
            case .table, .relations, .always, .unsolved: throw Refusal.unsolved
            }
            for value in values {
                guard value.variables.isEmpty else { throw Refusal.unsolved }
                guard let place = Evaluation.real(value) else { continue }
                if !borders.contains(where: { abs($0.place - place) < 1e-9 }) { borders.append((place, value)) }
            }
        }
        borders.sort { $0.place < $1.place }
        guard !borders.isEmpty else { throw Refusal.unsolved }
        let shown = borders.map { math($0.shown) }.joined(separator: ", ")
        page.say("Both sides are equal, or a denominator is zero, at \(shown). We test the intervals in between.")
        return Self.pieces(relations, borders, unknown)
    }

    private static func denominators(of expression: Expression, _ unknown: Variable) -> [Expression] {
        var found = expression.children.flatMap { denominators(of: $0, unknown) }
        if case .operation(.divide, _, let below) = expression, below.variables.contains(unknown) {
            found.append(below)
        }
        return found
    }

    /// The intervals where all of `relations` hold; neighbours are joined where they hold at the border too.
    private static func pieces(
        _ relations: [Relation],
        _ borders: [(place: Double, shown: Expression)],
        _ unknown: Variable,
    ) -> [[Relation]] {
        let places = borders.map(\.place)
        let middles =
            [places[0] - 1] + zip(places, places.dropFirst()).map { ($0 + $1) / 2 } + [places[places.count - 1] + 1]
        let inside = middles.map { middle in
            relations.allSatisfy { Sampling.holds($0, [unknown: Complex(middle)]) ?? false }
        }
        let on = places.map { place in relations.allSatisfy { holdsOnBorder($0, [unknown: Complex(place)]) } }
        var pieces: [[Relation]] = []
        var current: [Relation]? = inside[0] ? [] : nil
        for (index, border) in borders.enumerated() {
            let sign: Relation.Comparison = on[index] ? .lessOrEqual : .less
            if inside[index], inside[index + 1], on[index] { continue }
            if let chain = current {
                pieces.append(chain + [Relation(left: unknown.expression, comparison: sign, right: border.shown)])
                current = nil
            } else if on[index], !inside[index + 1] {
                pieces.append([Relation(left: unknown.expression, comparison: .equal, right: border.shown)])
            }
            if inside[index + 1] {
                current = [Relation(left: border.shown, comparison: sign, right: unknown.expression)]
            }
        }
        if let current { pieces.append(current.map(\.turned)) }
        return pieces
    }
}

/// Where both sides are equal up to rounding, the sign decides; where one has no value, nothing holds.
private func holdsOnBorder(_ relation: Relation, _ values: [Variable: Complex]) -> Bool {
    let equality = Relation(left: relation.left, comparison: .equal, right: relation.right)
    guard Sampling.holds(equality, values) == true else { return Sampling.holds(relation, values) ?? false }
    return relation.comparison == .lessOrEqual || relation.comparison == .greaterOrEqual
}

extension Relation {
    /// `x > 2` for `2 < x`.
    var turned: Relation {
        let comparison: Comparison =
            switch self.comparison {
            case .equal: .equal
            case .notEqual: .notEqual
            case .less: .greater
            case .lessOrEqual: .greaterOrEqual
            case .greater: .less
            case .greaterOrEqual: .lessOrEqual
            }
        return Relation(left: right, comparison: comparison, right: left)
    }
}
