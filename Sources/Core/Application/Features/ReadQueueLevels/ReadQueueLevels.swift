/// Reads the state of the queue, for an administrator.
package struct ReadQueueLevels: Query {
    package init() {}

    package typealias Output = QueueLevels
    package typealias Failure = RepositoryFailure
}

package struct ReadQueueLevelsHandler: QueryHandler {
    private let reader: any QueueLevelsReader

    package init(reader: any QueueLevelsReader) { self.reader = reader }

    package func handle(_: ReadQueueLevels) async throws(RepositoryFailure) -> QueueLevels {
        try await reader.levels()
    }
}
