extension Desk {
    /// A quantity in other units, or in the calculator's choice of units.
    func convert(_ quantity: Expression, to unit: Expression?) async throws {
        guard let unit else { return try await evaluate(quantity: quantity) }
        guard unit.isUnitExpression else { throw Refusal.incompatibleUnits }
        page.say("We convert \(math(quantity)) to \(math(unit)).")
        if unit.hasOffsetUnit || quantity.hasOffsetUnit { return try await convertTemperature(quantity, to: unit) }
        let ratio = CalculatorText(quantity / unit)
        var questions: [Calculator.Question] = [.exact(ratio), .decimal(ratio)]
        let source = quantity.unitPart
        if let source { questions.append(.exact(CalculatorText(source / unit))) }
        let answers = try await ask(questions)
        guard let exact = CalculatorValue.expression(answers[0]), let decimal = CalculatorValue.expression(answers[1])
        else { throw Refusal.unsolved }
        guard !exact.hasUnits, !decimal.hasUnits else { throw Refusal.incompatibleUnits }
        guard let value = Evaluation.value(decimal), Evaluation.value(exact)?.isClose(to: value) == true else {
            throw Refusal.doubtful
        }
        if let source, source != quantity, answers.count > 2, let factor = CalculatorValue.expression(answers[2]),
            let size = Evaluation.real(factor)
        {
            page.say("The conversion factor is")
            page.display("1\\,\(LaTeX.render(source)) \(Self.equality(factor, size)) \\,\(LaTeX.render(unit))")
            page.say("so we multiply by it:")
        }
        try say(exact, decimal, quantity, unit)
    }

    private func say(_ exact: Expression, _ decimal: Expression, _ quantity: Expression, _ unit: Expression) throws {
        guard let size = Evaluation.real(decimal) else { throw Refusal.doubtful }
        let result = "\(Self.equality(exact, size))\\,\(LaTeX.render(unit))"
        page.display("\(LaTeX.render(quantity)) \(result)")
        page.answer("\(LaTeX.render(quantity)) \(result)")
    }

    /// `= 5` or `≈ 3.107`, whichever is true.
    private static func equality(_ exact: Expression, _ size: Double) -> String {
        if let decimal = exact.literalFraction?.decimal, decimal.isExact { return "= \(decimal.shown)" }
        if exact.contains({ $0 == .constant(.pi) }), exact.size <= 6 {
            return "= \(LaTeX.render(exact)) \\approx \(Decimal.shown(size))"
        }
        return "\\approx \(Decimal.shown(size))"
    }

    /// Scales with different zero points do not convert by a factor.
    private func convertTemperature(_ quantity: Expression, to unit: Expression) async throws {
        guard case .unit(let target) = unit, target.isTemperature, let (size, source) = quantity.temperature else {
            throw Refusal.incompatibleUnits
        }
        page.say("Their zero points differ, so we use the formula")
        page.display(Self.formula(source, target))
        let answers = try await ask(
            .exact(.convert(quantity, to: unit)),
            .decimal(.convert(quantity, to: unit))
        )
        guard let exact = CalculatorValue.expression(answers[0]), let decimal = CalculatorValue.expression(answers[1])
        else { throw Refusal.unsolved }
        guard let (exactSize, exactUnit) = exact.temperature, let (decimalSize, _) = decimal.temperature,
            exactUnit == target, let own = Self.converted(size, source, target),
            Evaluation.value(decimalSize)?.isClose(to: Complex(own)) == true,
            Evaluation.value(exactSize)?.isClose(to: Complex(own)) == true
        else { throw Refusal.doubtful }
        try say(exactSize, decimalSize, quantity, unit)
    }

    private static func converted(_ size: Expression, _ source: Unit, _ target: Unit) -> Double? {
        guard let value = Evaluation.real(size) else { return nil }
        let celsius =
            switch source.symbol {
            case "oF": (value - 32) * 5 / 9
            case "K": value - 273.15
            default: value
            }
        return switch target.symbol {
        case "oF": celsius * 9 / 5 + 32
        case "K": celsius + 273.15
        default: celsius
        }
    }

    private static func formula(_ source: Unit, _ target: Unit) -> String {
        let (from, to) = ("T_{\(source.typeset)}", "T_{\(target.typeset)}")
        return switch (source.symbol, target.symbol) {
        case ("oC", "oF"): "\(to) = \\frac{9}{5} \(from) + 32"
        case ("oF", "oC"): "\(to) = \\frac{5}{9} (\(from) - 32)"
        case ("oC", "K"): "\(to) = \(from) + 273.15"
        case ("K", "oC"): "\(to) = \(from) - 273.15"
        case ("oF", "K"): "\(to) = \\frac{5}{9} (\(from) - 32) + 273.15"
        case ("K", "oF"): "\(to) = \\frac{9}{5} (\(from) - 273.15) + 32"
        default: "\(to) = \(from)"
        }
    }

    /// No target: as the calculator sums it up.
    private func evaluate(quantity: Expression) async throws {
        page.say("We work out")
        page.display(LaTeX.render(quantity))
        let text = CalculatorText(quantity)
        let answers = try await ask(.exact(text), .decimal(text))
        guard let exact = CalculatorValue.expression(answers[0]), let decimal = CalculatorValue.expression(answers[1])
        else { throw Refusal.unsolved }
        guard exact.terms.count == 1 else { throw Refusal.incompatibleUnits }
        guard let unit = exact.unitPart, let size = Evaluation.real(decimal.withoutUnits),
            Evaluation.real(exact.withoutUnits).map({ Complex($0).isClose(to: Complex(size)) }) == true
        else { throw Refusal.unsolved }
        try say(exact.withoutUnits, decimal.withoutUnits, quantity, unit)
    }
}

extension Expression {
    /// Only units, multiplied, divided and raised.
    var isUnitExpression: Bool {
        switch self {
        case .unit: true
        case .operation(.multiply, let left, let right), .operation(.divide, let left, let right):
            left.isUnitExpression && right.isUnitExpression
        case .operation(.power, let base, let exponent): base.isUnitExpression && exponent.smallInteger != nil
        case .number, .constant, .variable, .negative, .operation, .function, .factorial: false
        }
    }

    var hasOffsetUnit: Bool { contains { if case .unit(let unit) = $0 { unit.isScaleWithOffset } else { false } } }

    /// The units of a single term without its number; nil for a sum.
    var unitPart: Expression? {
        switch self {
        case .unit: self
        case .negative(let inner): inner.unitPart
        case .operation(.multiply, let left, let right):
            switch (left.unitPart, right.unitPart) {
            case (let left?, let right?): left * right
            case (let left?, nil): right.hasUnits ? nil : left
            case (nil, let right?): left.hasUnits ? nil : right
            case (nil, nil): nil
            }
        case .operation(.divide, let left, let right):
            switch (left.unitPart, right.unitPart) {
            case (let left?, let right?): left / right
            case (let left?, nil): right.hasUnits ? nil : left
            case (nil, let right?): left.hasUnits ? nil : right ^ .number(-1)
            case (nil, nil): nil
            }
        case .operation(.power, let base, _): base.isUnitExpression ? self : nil
        case .number, .constant, .variable, .operation, .function, .factorial: nil
        }
    }

    /// The same with every unit counted as one.
    var withoutUnits: Expression {
        switch self {
        case .unit: .number(1)
        case .number, .constant, .variable: self
        case .negative(let inner): .negative(inner.withoutUnits)
        case .factorial(let inner): .factorial(inner.withoutUnits)
        case .operation(.multiply, let left, let right) where right.isUnitExpression: left.withoutUnits
        case .operation(.divide, let left, let right) where right.isUnitExpression: left.withoutUnits
        case .operation(let sign, let left, let right): .operation(sign, left.withoutUnits, right.withoutUnits)
        case .function(let function, let arguments): .function(function, arguments.map(\.withoutUnits))
        }
    }

    /// A number of degrees or kelvins.
    var temperature: (Expression, Unit)? {
        switch self {
        case .operation(.multiply, let size, .unit(let unit)) where unit.isTemperature && !size.hasUnits: (size, unit)
        case .negative(let inner): inner.temperature.map { (.negative($0.0), $0.1) }
        case .number, .constant, .variable, .unit, .operation, .function, .factorial: nil
        }
    }
}
