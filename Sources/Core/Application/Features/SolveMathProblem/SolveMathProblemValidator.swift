package import Domain

/// Validates a problem, its options and the requested provider.
package struct SolveMathProblemValidator: Validator {
    package struct Valid: Sendable, Equatable {
        package let problem: MathProblem
        package let provider: String?
        package let options: SolveOptions
    }

    private let providerNames: [String]

    package init(providerNames: [String]) { self.providerNames = providerNames }

    package func validate(_ input: SolveInput) throws(ValidationFailure) -> Valid {
        var errors: [ValidationFailure.FieldError] = []
        func reject(_ field: String, _ message: String) {
            errors.append(.init(field: field, message: message))
        }

        let problem = validProblem(input.problem, reject)
        if let provider = input.provider, !providerNames.contains(provider) {
            reject("provider", "must be one of: \(providerNames.joined(separator: ", "))")
        }
        for option in SolveOption.allCases {
            guard let value = input.options[option], !option.rule.allows(value) else { continue }
            reject("options.\(option.rawValue)", option.rule.requirement)
        }

        guard let problem, errors.isEmpty else { throw ValidationFailure(errors) }
        return Valid(problem: problem, provider: input.provider, options: SolveOptions(input.options))
    }

    private func validProblem(_ text: String?, _ reject: (String, String) -> Void) -> MathProblem? {
        guard let text else {
            reject("problem", "is required: the problem to solve, as text")
            return nil
        }
        do throws(MathProblem.Invalid) {
            return try MathProblem(text)
        } catch {
            switch error {
            case .empty: reject("problem", "must not be empty")
            case .tooLong(let count):
                reject("problem", "must have at most \(MathProblem.scalarsMax) characters; it has \(count)")
            }
            return nil
        }
    }
}
