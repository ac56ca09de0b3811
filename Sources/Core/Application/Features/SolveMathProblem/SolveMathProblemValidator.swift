package import Domain

/// Checks a problem and its options against the contract's limits and the providers there are.
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
        func refuse(_ field: String, _ message: String) {
            errors.append(.init(field: field, message: message))
        }

        let problem = validProblem(input.problem, refuse)
        if let provider = input.provider, !providerNames.contains(provider) {
            refuse("provider", "must be one of: \(providerNames.joined(separator: ", "))")
        }
        if let temperature = input.temperature, !(0...2).contains(temperature) {
            refuse("options.temperature", "must be a number from 0 to 2")
        }
        if let tokens = input.maxOutputTokens, !(1...32_768).contains(tokens) {
            refuse("options.maxOutputTokens", "must be a whole number from 1 to 32768")
        }
        let onDisconnect = validCase(
            input.onDisconnect,
            "options.onDisconnect",
            SolveOptions.OnDisconnect.continue,
            refuse
        )
        let onBusy = validCase(input.onBusy, "options.onBusy", SolveOptions.OnBusy.enqueue, refuse)

        guard let problem, errors.isEmpty else { throw ValidationFailure(errors) }
        let options = SolveOptions(
            temperature: input.temperature,
            maxOutputTokens: input.maxOutputTokens,
            onDisconnect: onDisconnect,
            onBusy: onBusy,
        )
        return Valid(problem: problem, provider: input.provider, options: options)
    }

    private func validProblem(_ text: String?, _ refuse: (String, String) -> Void) -> MathProblem? {
        guard let text else {
            refuse("problem", "is required: the problem to solve, as text")
            return nil
        }
        do throws(MathProblem.Invalid) {
            return try MathProblem(text)
        } catch {
            switch error {
            case .empty: refuse("problem", "must not be empty")
            case .tooLong(let count):
                refuse("problem", "must have at most \(MathProblem.scalarsMax) characters; it has \(count)")
            }
            return nil
        }
    }

    private func validCase<Choice: RawRepresentable<String> & CaseIterable>(
        _ text: String?,
        _ field: String,
        _ absent: Choice,
        _ refuse: (String, String) -> Void
    ) -> Choice {
        guard let text else { return absent }
        if let choice = Choice(rawValue: text) { return choice }
        refuse(field, "must be one of: \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        return absent
    }
}
