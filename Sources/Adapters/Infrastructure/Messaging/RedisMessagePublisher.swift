package import Application
package import Domain
internal import RedisClient
internal import Shared

/// Writes jobs to the partition's stream, with record and first event in the same function call.
package struct RedisMessagePublisher: MessagePublisher {
    private let store: RedisStore
    private let waitingMax: Int
    private let timeToLive: Duration

    /// - Parameters:
    ///   - waitingMax: jobs waiting in a partition above which the queue is full.
    ///   - timeToLive: expiry of the request's keys while it waits and runs.
    package init(store: RedisStore, waitingMax: Int, timeToLive: Duration) {
        self.store = store
        self.waitingMax = waitingMax
        self.timeToLive = timeToLive
    }

    package func publish(_ request: MathRequest) async throws(PublishFailure) -> Publication {
        let id = request.correlationID
        let keys = store.keys
        var arguments = [
            Keyspace.group, String(waitingMax), String(timeToLive.wholeMilliseconds), id.description,
            request.requestedProvider ?? "", EventData.queuedPrefix(request),
        ]
        arguments += RequestHash.fields(of: request)
        let reply: [RedisValue]?
        do {
            reply = try await store.call(
                .submit,
                keys: [keys.jobs(keys.partition(of: id)), keys.request(id), keys.events(id)],
                arguments,
            ).array
        } catch {
            throw .unavailable
        }
        guard let reply, reply.first?.string == "ok", reply.count == 3,
            let created = reply[1].integer, let position = reply[2].integer
        else {
            throw reply?.first?.string == "full" ? .queueFull : .unavailable
        }
        return Publication(createdAt: Timestamp(milliseconds: Int64(created)), position: position)
    }
}
