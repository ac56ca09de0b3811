package import Application
internal import RedisClient

/// The queue's levels, by one call of bounded cost per partition.
package struct RedisQueueLevels: QueueLevelsReader {
    private let store: RedisStore

    package init(store: RedisStore) { self.store = store }

    package func levels() async throws(RepositoryFailure) -> QueueLevels {
        var sum = QueueLevels()
        for partition in 0..<store.keys.partitions {
            do {
                sum.add(try await store.call(QueueStatisticsCall(of: partition, store.keys)))
            } catch {
                throw .unavailable
            }
        }
        return sum
    }
}
