/// Converts input from outside into values of the domain, or reports every error in it.
///
/// Pure: no I/O, no clock.
package protocol Validator<Input, Output> {
    associatedtype Input
    associatedtype Output
    func validate(_ input: Input) throws(ValidationFailure) -> Output
}

/// All errors of one input.
package struct ValidationFailure: Error, Equatable {
    package struct FieldError: Sendable, Equatable {
        /// The member's path in the request body, such as `options.temperature`.
        package let field: String
        /// What is wrong and which values are allowed.
        package let message: String

        package init(field: String, message: String) {
            self.field = field
            self.message = message
        }
    }

    package let errors: [FieldError]

    package init(_ errors: [FieldError]) { self.errors = errors }
}
