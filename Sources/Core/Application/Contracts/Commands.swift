/// A wish to change something: its input as stored properties, and what comes of it.
package protocol Command {
    associatedtype Output
    associatedtype Failure: Error
}

/// Carries one kind of command out.
///
/// One handler per use case, its ports as stored properties.
package protocol CommandHandler<Handled> {
    associatedtype Handled: Command
    func handle(_ command: Handled) async throws(Handled.Failure) -> Handled.Output
}

/// A question that changes nothing.
package protocol Query {
    associatedtype Output
    associatedtype Failure: Error
}

/// Answers one kind of query.
package protocol QueryHandler<Handled> {
    associatedtype Handled: Query
    func handle(_ query: Handled) async throws(Handled.Failure) -> Handled.Output
}

/// Turns what came from outside into what the domain accepts, or names every mistake in it.
///
/// Pure.
package protocol Validator<Input, Output> {
    associatedtype Input
    associatedtype Output
    func validate(_ input: Input) throws(ValidationFailure) -> Output
}

/// All the mistakes of one input.
package struct ValidationFailure: Error, Equatable {
    package struct FieldError: Sendable, Equatable {
        /// The member's path as the client wrote it, such as `options.temperature`.
        package let field: String
        /// What is wrong and what is allowed.
        package let message: String

        package init(field: String, message: String) {
            self.field = field
            self.message = message
        }
    }

    package let errors: [FieldError]

    package init(_ errors: [FieldError]) { self.errors = errors }
}

/// Something that happened, in the past tense.
package protocol DomainEvent: Sendable {}
