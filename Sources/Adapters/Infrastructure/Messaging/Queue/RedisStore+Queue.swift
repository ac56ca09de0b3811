internal import Application
internal import RedisClient

extension RedisStore {
    /// Calls a function on behalf of a queue; its errors are those of the queue's port.
    func queueCall<Call: FunctionCall>(_ call: Call) async throws(QueueFailure) -> Call.Reply {
        do {
            return try await self.call(call)
        } catch {
            throw QueueFailure(error)
        }
    }

    /// Takes over entries whose consumer has been silent for `silence`, partition by partition, until `count` are readable.
    ///
    /// `read` returns what the entries of a partition hold, and deals with those that it cannot read.
    func takeOver<Element>(
        upTo count: Int,
        in group: ConsumerGroup,
        to consumer: String,
        after silence: Duration,
        reading read: (_ entries: [RedisValue], _ partition: Int) async throws(QueueFailure) -> [Element]
    ) async throws(QueueFailure) -> [Element] {
        var elements: [Element] = []
        for partition in 0..<keys.partitions where elements.count < count {
            let left = count - elements.count
            let entries = try await queueCall(
                TakeOverCall(in: group, of: partition, to: consumer, after: silence, upTo: left)
            )
            elements += try await read(entries, partition)
        }
        return elements
    }
}
