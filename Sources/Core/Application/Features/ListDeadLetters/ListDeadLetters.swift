/// Lists the dead-lettered jobs, the oldest first.
package struct ListDeadLetters: Query {
    /// At most this many, at least 1.
    package let count: Int

    package init(count: Int) { self.count = count }

    package typealias Output = [DeadLetter]
    package typealias Failure = RepositoryFailure
}

package struct ListDeadLettersHandler: QueryHandler {
    private let letters: any DeadLetterRepository

    package init(letters: any DeadLetterRepository) { self.letters = letters }

    package func handle(_ query: ListDeadLetters) async throws(RepositoryFailure) -> [DeadLetter] {
        try await letters.list(upTo: query.count)
    }
}
