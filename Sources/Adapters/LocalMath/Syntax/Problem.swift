/// What a student asks for.
enum Problem: Equatable, Sendable {
    /// A value, or the simplest form if there are variables.
    case evaluate(Expression)
    case expand(Expression)
    case factor(Expression)
    /// One equation or inequality for one unknown.
    case solve(Relation, for: Variable)
    /// Two to four inequalities for one unknown, which hold together.
    case inequalities([Relation], for: Variable)
    /// Two to four equations for as many unknowns.
    case system([Relation], for: [Variable])
    /// An equation or inequality without unknowns: is it true?
    case compare(Relation)
    /// Order 1...5.
    case derivative(Expression, by: Variable, order: Int)
    case integral(Expression, by: Variable, bounds: Bounds?)
    case limit(Expression, of: Variable, at: Expression)
    /// A quantity in other units; nil is the calculator's choice.
    case convert(Expression, to: Expression?)

    struct Bounds: Equatable, Sendable {
        var from: Expression
        var to: Expression
    }
}
