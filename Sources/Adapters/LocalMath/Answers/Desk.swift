/// Where one problem is solved: the calculator, the time left and the page to write on.
struct Desk {
    let calculator: Calculator
    let deadline: Deadline
    let page: Page

    func ask(_ questions: Calculator.Question...) async throws(CalculatorError) -> [String?] {
        try await calculator.ask(questions, until: deadline)
    }

    func ask(_ questions: [Calculator.Question]) async throws(CalculatorError) -> [String?] {
        try await calculator.ask(questions, until: deadline)
    }

    func answer(_ problem: Problem) async throws {
        switch problem {
        case .evaluate(let expression):
            if expression.freeVariables.isEmpty {
                try await evaluate(expression)
            } else {
                try await simplify(expression)
            }
        case .expand(let expression): try await expand(expression)
        case .factor(let expression): try await factor(expression)
        case .solve(let relation, let unknown): try await solve(relation, for: unknown)
        case .inequalities(let relations, let unknown): try await solveInequalities(relations, for: unknown)
        case .system(let relations, let unknowns): try await solve(relations, for: unknowns)
        case .compare(let relation): try compare(relation)
        case .derivative(let expression, let variable, let order):
            try await differentiate(expression, by: variable, order: order)
        case .integral(let expression, let variable, let bounds):
            try await integrate(expression, by: variable, bounds: bounds)
        case .limit(let expression, let variable, let place):
            try await limit(expression, of: variable, at: place)
        case .convert(let quantity, let unit): try await convert(quantity, to: unit)
        }
    }
}

extension Variable {
    var expression: Expression { .variable(self) }
    var name: String { String(letter) }
}

/// Inline math of an expression.
func math(_ expression: Expression) -> String { LaTeX.inline(LaTeX.render(expression)) }
/// Inline math of a relation.
func math(_ relation: Relation) -> String { LaTeX.inline(LaTeX.render(relation)) }
