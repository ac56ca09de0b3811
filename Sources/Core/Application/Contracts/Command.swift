/// A use case that changes state: its input as stored properties, its result as associated types.
package protocol Command {
    associatedtype Output
    associatedtype Failure: Error
}

/// Executes one type of command.
///
/// Callers depend on `any CommandHandler<SomeCommand>`, so that a test replaces a use case by a fake.
package protocol CommandHandler<Handled> {
    associatedtype Handled: Command
    func handle(_ command: Handled) async throws(Handled.Failure) -> Handled.Output
}
