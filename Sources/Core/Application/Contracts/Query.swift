/// A use case that reads state and changes none.
package protocol Query {
    associatedtype Output
    associatedtype Failure: Error
}

/// Executes one type of query.
///
/// Callers depend on `any QueryHandler<SomeQuery>`, so that a test replaces a use case by a fake.
package protocol QueryHandler<Handled> {
    associatedtype Handled: Query
    func handle(_ query: Handled) async throws(Handled.Failure) -> Handled.Output
}
