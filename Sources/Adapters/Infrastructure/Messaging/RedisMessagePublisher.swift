package import Application
package import Domain
internal import RedisClient
internal import Shared

/// Writes jobs to the partition's stream, with record and first event in the same function call.
package struct RedisMessagePublisher: MessagePublisher {
    private let store: RedisStore
    private let waitingMax: Int

    /// Above `waitingMax` requests waiting, of which each partition has an equal share, the queue is full.
    package init(store: RedisStore, waitingMax: Int) {
        self.store = store
        self.waitingMax = (waitingMax + store.keys.partitions - 1) / store.keys.partitions
    }

    package func publish(
        _ request: MathRequest,
        in standing: ConversationStanding,
        as submission: IdempotentSubmission?
    ) async throws(PublishFailure) -> Publication {
        let (id, conversation) = (request.correlationID, request.conversationID)
        let key = submission.map { store.keys.idempotency($0.name, beside: conversation) }
        if let submission, key != store.keys.idempotency(submission.name) { try await vouch(for: submission) }
        var arguments = [
            Keyspace.group, String(waitingMax), String(store.retention.live.wholeMilliseconds), id.description,
            request.requestedProvider ?? "", EventData.queuedPrefix(id, in: conversation),
            submission?.meaning.description ?? "", request.userID.text, standing.rawValue,
            request.options.onBusy.rawValue,
        ]
        arguments += store.stopArguments(.interrupted, in: store.keys.partition(of: conversation))
        arguments += RequestHash.fields(of: request)
        let keys = store.keys.scope(of: conversation) + (key.map { [$0] } ?? [])
        return try publication(try await call(.submit, keys: keys, arguments).array ?? [])
    }

    /// Notes in the key's own lane what it means, where the submission itself is noted in another one.
    ///
    /// Repeated by every submission under the key, so that a crash after it leaves nothing to repair.
    private func vouch(for submission: IdempotentSubmission) async throws(PublishFailure) {
        let keys = [store.keys.idempotency(submission.name)]
        guard try await call(.vouch, keys: keys, [submission.meaning.description]).integer == 1 else {
            throw .keyReused
        }
    }

    private func call(
        _ function: FunctionLibrary.Function,
        keys: [String],
        _ arguments: [String]
    ) async throws(PublishFailure) -> RedisValue {
        do {
            return try await store.call(function, keys: keys, arguments)
        } catch {
            throw .unavailable
        }
    }

    private func publication(_ reply: [RedisValue]) throws(PublishFailure) -> Publication {
        switch reply.first?.string {
        case "ok" where reply.count >= 3:
            guard let created = reply[1].integer, let position = reply[2].integer else { throw .unavailable }
            store.tellEnds(.interrupted, after: reply.dropFirst(3))
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
        case "busy": throw .conversationBusy
        case "not_found": throw .conversationNotFound
        case "unknown": throw .conversationUnknown
        default: throw .unavailable
        }
    }
}
