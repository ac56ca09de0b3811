/// Why an understood problem gets no answer.
enum Refusal: Error, Equatable {
    /// The calculator gave the question back.
    case unsolved
    /// The calculator's answer did not pass our check.
    case doubtful
    /// Such as 1/0.
    case undefined
    /// The units measure different things.
    case incompatibleUnits
    /// The result has too many digits or terms to be read.
    case tooLong
}

/// Plain sentences for what cannot be done.
enum Apology {
    private static let abilities = """
        I can work out arithmetic, equations and systems of equations, simplify, expand and factor expressions, \
        derivatives, integrals, limits and unit conversions. For example:

        - `2x + 3 = 7`
        - `solve x^2 - 5x + 6 = 0`
        - `3x + 2y = 12, x - y = 1`
        - `derivative of x^3 sin(x)`
        - `integrate x^2 from 0 to 1`
        - `convert 5 km to miles`
        """

    static let exhausted = """
        This problem needs more time or memory than I may use, so I stopped without a result. A smaller or simpler \
        version of it may work.
        """
    static let unavailable = "My calculator is not available right now, so I cannot solve this."

    static func text(_ error: ReadingError) -> String {
        switch error {
        case .unexpectedCharacter: "Sorry, there is a character in this that I cannot read.\n\n\(abilities)"
        case .unknownWord(let word): "Sorry, I do not understand \u{201C}\(word.prefix(30))\u{201D}.\n\n\(abilities)"
        case .unexpected(let token):
            "Sorry, I stumbled over \u{201C}\(token.prefix(30))\u{201D} in this problem.\n\n\(abilities)"
        case .incomplete: "Sorry, something seems to be missing in this problem.\n\n\(abilities)"
        case .severalInequalities:
            "Sorry, I can solve inequalities together only if they have one unknown and no equation beside them."
        case .tooLong: "Sorry, this problem is too long for me. Please send one problem of at most 2,000 characters."
        case .tooDeep: "Sorry, this expression is nested too deeply for me."
        case .tooLarge: "The numbers in this problem are too large: the result would have far too many digits to show."
        }
    }

    static func text(_ refusal: Refusal) -> String {
        switch refusal {
        case .unsolved: "I could not solve this: I know no method that leads to an exact or a numeric result."
        case .doubtful: "I found a result, but it did not pass my check, so I would rather not show it."
        case .undefined: "This is not defined: it divides by zero or takes a function where it has no value."
        case .incompatibleUnits: "These units measure different things, so one cannot be converted into the other."
        case .tooLong: "The result is too long to be shown here."
        }
    }
}
