package import Application
package import Domain
internal import EventLoop
internal import RedisClient
internal import Shared
internal import Time

/// Writes jobs to the partition's stream, with record and first event in the same function call.
package struct RedisMessagePublisher: MessagePublisher {
    /// What may wait before new work is refused.
    package struct Limits: Sendable {
        /// Requests that wait, in all partitions together; each has an equal share.
        package var waiting: Int
        /// Requests that wait for the one before them in one conversation.
        package var waitingInConversation = 16
        /// Records that wait for the archive, in all partitions together; each has an equal share.
        package var records = 100_000

        package init(waiting: Int) { self.waiting = waiting }
    }

    private let store: RedisStore
    /// Those of one partition.
    private let limits: Limits

    package init(store: RedisStore, limits: Limits) {
        let partitions = store.keys.partitions
        self.store = store
        var share = limits
        share.waiting = (limits.waiting + partitions - 1) / partitions
        share.records = (limits.records + partitions - 1) / partitions
        self.limits = share
    }

    package func publish(
        _ request: MathRequest,
        in standing: ConversationStanding,
        as submission: IdempotentSubmission?
    ) async throws(PublishFailure) -> Publication {
        let noted = submission.map { store.keys.submission($0.name, beside: request.conversationID) }
        if let submission, let noted { try await vouch(for: submission, notedBy: noted, request, standing) }
        let keys = store.keys.scope(of: request.conversationID) + (noted?.all ?? [])
        var arguments = arguments(request, standing, submission)
        while true {
            let reply = try await call(.submit, keys: keys, arguments).array ?? []
            // An interruption ends what waits in steps, between which Redis serves others.
            guard reply.count == 3, reply[0].string == "stopped" else { return try publication(reply) }
            store.tellEnds(.interrupted, reply[1], sum: reply[2])
            // Each end has written a record: what has begun is not to be refused for those.
            arguments[Self.recordsArgument] = .text(String(Int.max))
        }
    }

    /// The place of ``Limits/records`` among the arguments of `submit`.
    private static let recordsArgument = 10

    private func arguments(
        _ request: MathRequest,
        _ standing: ConversationStanding,
        _ submission: IdempotentSubmission?
    ) -> [RedisData] {
        let (id, conversation) = (request.correlationID, request.conversationID)
        let partition = store.keys.partition(of: conversation)
        let texts = [
            Keyspace.group, String(limits.waiting), String(store.retention.live.wholeMilliseconds), id.description,
            request.requestedProvider ?? "", EventData.queued(id, in: conversation).text, request.userID.text,
            standing.rawValue, request.options.onBusy.rawValue, String(limits.waitingInConversation),
            String(limits.records),
        ]
        let note: [RedisData] = [
            .bytes(submission?.meaning.noted ?? []), .text(submission?.meaning.description ?? ""),
            .bytes(SubmittedIDs.bytes(id, conversation)), .text(String(store.retention.submissions.wholeMilliseconds)),
        ]
        let rest = store.stopArguments(.interrupted, in: partition) + RequestHash.fields(of: request)
        return texts.map { .text($0) } + note + rest.map { .text($0) }
    }

    /// Notes in the key's own partition what it means, where the submission itself is noted in another one.
    ///
    /// Repeated by every submission under the key, so that a crash after it leaves nothing to repair. Nothing is noted for a
    /// conversation of which nothing is known.
    private func vouch(
        for submission: IdempotentSubmission,
        notedBy noted: SubmissionKeys,
        _ request: MathRequest,
        _ standing: ConversationStanding
    ) async throws(PublishFailure) {
        let own = store.keys.submission(submission.name)
        guard own.partition != noted.partition else { return }
        if standing == .named {
            let command = RedisCommand("HEXISTS", store.keys.conversation(request.conversationID), "user")
            do {
                guard try await store.call(command).integer == 1 else { throw PublishFailure.conversationUnknown }
            } catch let failure as PublishFailure {
                throw failure
            } catch {
                throw .unavailable
            }
        }
        let arguments: [RedisData] = [
            .bytes(submission.meaning.noted), .text(submission.meaning.description),
            .text(String(store.retention.submissions.wholeMilliseconds)),
        ]
        guard try await call(.reserveKey, keys: own.all, arguments).integer == 1 else { throw .keyReused }
    }

    private func call(
        _ function: FunctionLibrary.Function,
        keys: [String],
        _ arguments: [RedisData]
    ) async throws(PublishFailure) -> RedisValue {
        do {
            return try await store.call(function, keys: keys, arguments)
        } catch {
            throw .unavailable
        }
    }

    private func publication(_ reply: [RedisValue]) throws(PublishFailure) -> Publication {
        switch reply.first?.string {
        case "ok" where reply.count >= 5:
            guard let created = reply[1].integer, let position = reply[2].integer else { throw .unavailable }
            store.tellEnds(.interrupted, reply[3], sum: reply[4])
            return Publication(
                createdAt: Timestamp(milliseconds: Int64(created)),
                position: position,
                jobNumber: reply.dropFirst(5).first?.integer
            )
        case "replay" where reply.count >= 3:
            guard let created = reply[1].integer, let ids = SubmittedIDs.read(reply[2...]) else { throw .unavailable }
            return Publication(createdAt: Timestamp(milliseconds: Int64(created)), position: 0, replayed: ids)
        case "full": throw .queueFull
        case "behind": throw .archiveBehind
        case "reused": throw .keyReused
        case "busy": throw .conversationBusy
        case "crowded": throw .conversationCrowded(limit: limits.waitingInConversation)
        case "not_found": throw .conversationNotFound
        case "unknown": throw .conversationUnknown
        default: throw .unavailable
        }
    }
}

/// The ids of a submission as they are noted under its idempotency key: the request's 16 bytes, and the conversation's
/// without its lane, which is the request's.
private enum SubmittedIDs {
    private static let laneBytes = 2

    static func bytes(_ id: CorrelationID, _ conversation: ConversationID) -> [UInt8] {
        id.bits.bytes + conversation.bits.bytes.dropLast(laneBytes)
    }

    /// Reads the 30 bytes, or the two texts that releases before 1.1 noted.
    static func read(_ reply: ArraySlice<RedisValue>) -> Publication.ReplayedRequest? {
        let parts = Array(reply)
        if parts.count == 2 {
            guard let id = parts[0].string.flatMap({ CorrelationID($0) }),
                let conversation = parts[1].string.flatMap({ ConversationID($0) })
            else { return nil }
            return .init(correlationID: id, conversationID: conversation)
        }
        guard parts.count == 1, let bytes = parts[0].bytes, bytes.count == 32 - laneBytes,
            let id = UUIDBits(bytes: bytes[..<16]),
            let conversation = UUIDBits(bytes: bytes[16...] + bytes[..<16].suffix(laneBytes))
        else { return nil }
        return .init(correlationID: CorrelationID(bits: id), conversationID: ConversationID(bits: conversation))
    }
}

extension SubmissionKeys {
    fileprivate var all: [String] { [once, former] }
}

extension Fingerprint {
    /// As much of a meaning as is noted: only its own client could find another meaning with the same.
    fileprivate var noted: [UInt8] { Array(bytes.prefix(8)) }
}
