package import Application
package import Domain
internal import RedisClient
internal import Shared

/// Writes jobs to the partition's stream, with record and first event in the same function call.
package struct RedisMessagePublisher: MessagePublisher {
    private let store: RedisStore
    private let waitingMax: Int
    private let timeToLive: Duration

    /// Above `waitingMax` jobs waiting, of which each partition has an equal share, the queue is full; `timeToLive` is the
    /// expiry of the request's keys while it waits and runs.
    package init(store: RedisStore, waitingMax: Int, timeToLive: Duration) {
        self.store = store
        self.waitingMax = (waitingMax + store.keys.partitions - 1) / store.keys.partitions
        self.timeToLive = timeToLive
    }

    package func publish(
        _ request: MathRequest,
        as submission: IdempotentSubmission?
    ) async throws(PublishFailure) -> Publication {
        let id = request.correlationID
        let keys = store.keys
        var arguments = [
            Keyspace.group, String(waitingMax), String(timeToLive.wholeMilliseconds), id.description,
            request.requestedProvider ?? "", EventData.queuedPrefix(request), submission?.meaning.description ?? "",
            request.conversationID.description,
        ]
        arguments += RequestHash.fields(of: request)
        let reply: [RedisValue]?
        do {
            reply = try await store.call(
                .submit,
                keys: [keys.jobs(keys.partition(of: id)), keys.request(id), keys.events(id)]
                    + (submission.map { [keys.idempotency($0.name, beside: id)] } ?? []),
                arguments,
            ).array
        } catch {
            throw .unavailable
        }
        return try publication(reply ?? [])
    }

    private func publication(_ reply: [RedisValue]) throws(PublishFailure) -> Publication {
        switch reply.first?.string {
        case "ok" where reply.count == 3:
            guard let created = reply[1].integer, let position = reply[2].integer else { throw .unavailable }
            return Publication(createdAt: Timestamp(milliseconds: Int64(created)), position: position)
        case "replay" where reply.count == 4:
            guard let created = reply[1].integer, let id = reply[2].string.flatMap({ CorrelationID($0) }),
                let conversation = reply[3].string.flatMap({ ConversationID($0) })
            else { throw .unavailable }
            return Publication(
                createdAt: Timestamp(milliseconds: Int64(created)),
                position: 0,
                replayed: .init(correlationID: id, conversationID: conversation),
            )
        case "full": throw .queueFull
        case "reused": throw .keyReused
        default: throw .unavailable
        }
    }
}
