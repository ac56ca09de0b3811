internal import Application
internal import Domain
internal import RedisClient
internal import Shared
internal import Time

/// `submit`.
struct SubmitCall: FunctionCall {
    enum Reply: Equatable {
        /// `jobNumber` is nil while the request waits in its conversation's queue.
        case accepted(createdAt: Timestamp, position: Int, jobNumber: Int?, interrupted: EndedRequests)
        /// Requests still wait: the call must be repeated with ``SubmitCall/afterInterruption``.
        case stopped(EndedRequests)
        case replayed(EarlierSubmission)
        case keyReused
        case queueFull
        case archiveBehind
        case conversationBusy
        case conversationCrowded
        case conversationNotFound
        case conversationUnknown
    }

    static let function = FunctionLibrary.Function.submit
    let partition: Int
    let keys: [String]
    private(set) var arguments: [RedisData]

    /// The index of ``RedisMessagePublisher/Limits/records`` in the arguments.
    private static let recordsIndex = 10

    /// `limits` are those of one partition; `noted` are the keys of the submission beside the conversation.
    init(
        _ request: MathRequest,
        in standing: ConversationStanding,
        as submission: IdempotentSubmission?,
        notedBy noted: SubmissionKeys?,
        limits: RedisMessagePublisher.Limits,
        _ keyspace: Keyspace,
        _ retention: Retention
    ) {
        let (id, conversation) = (request.correlationID, request.conversationID)
        partition = keyspace.partition(of: conversation)
        keys = keyspace.scope(of: conversation) + (noted?.all ?? [])
        arguments = [
            .text(Keyspace.group),
            .text(String(limits.waiting)),
            .text(String(retention.live.wholeMilliseconds)),
            .text(id.description),
            .text(request.requestedProvider ?? ""),
            .text(EventData.queued(id, in: conversation).text),
            .text(request.userID.text),
            .text(standing.rawValue),
            .text(request.options.onBusy.rawValue),
            .text(String(limits.waitingInConversation)),
            .text(String(limits.records)),
            .bytes(submission?.meaning.noted ?? []),
            .text(submission?.meaning.description ?? ""),
            .bytes(SubmittedIDs.bytes(id, conversation)),
            .text(String(retention.submissions.wholeMilliseconds)),
        ]
        let rest =
            StopTerms(.interrupted, in: partition, keyspace, retention).arguments + RequestHash.fields(of: request)
        arguments += rest.map { .text($0) }
    }

    /// The call that continues an interruption: each end has written a record, which must not make Redis reject the rest.
    var afterInterruption: SubmitCall {
        var call = self
        call.arguments[Self.recordsIndex] = .text(String(Int.max))
        return call
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Reply {
        let elements = try reply.list(ofAtLeast: 1)
        switch elements[0].string {
        case "ok" where elements.count == 5 || elements.count == 6:
            return .accepted(
                createdAt: Timestamp(milliseconds: Int64(try elements[1].number())),
                position: try elements[2].number(),
                jobNumber: try elements.dropFirst(5).first?.number(),
                interrupted: try EndedRequests(elements[3], elements[4]),
            )
        case "stopped" where elements.count == 3: return .stopped(try EndedRequests(elements[1], elements[2]))
        case "replay": return .replayed(try EarlierSubmission(elements))
        case "reused": return .keyReused
        case "full": return .queueFull
        case "behind": return .archiveBehind
        case "busy": return .conversationBusy
        case "crowded": return .conversationCrowded
        case "not_found": return .conversationNotFound
        case "unknown": return .conversationUnknown
        case _: throw UnexpectedReply()
        }
    }
}

/// `reserve_key`; false if the key is bound to another meaning.
struct ReserveKeyCall: FunctionCall {
    static let function = FunctionLibrary.Function.reserveKey
    let partition: Int
    let keys: [String]
    let arguments: [RedisData]

    init(_ submission: IdempotentSubmission, notedBy own: SubmissionKeys, _ retention: Retention) {
        partition = own.partition
        keys = own.all
        arguments = [
            .bytes(submission.meaning.noted),
            .text(submission.meaning.description),
            .text(String(retention.submissions.wholeMilliseconds)),
        ]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Bool { try reply.number() == 1 }
}

/// `find_submission`.
struct FindSubmissionCall: FunctionCall {
    enum Reply: Equatable {
        case replayed(EarlierSubmission)
        case keyReused
        case unknown
    }

    static let function = FunctionLibrary.Function.findSubmission
    let partition: Int
    let keys: [String]
    let arguments: [RedisData]

    init(_ submission: IdempotentSubmission, notedBy noted: SubmissionKeys) {
        partition = noted.partition
        keys = noted.all
        arguments = [.bytes(submission.meaning.noted), .text(submission.meaning.description)]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Reply {
        let elements = try reply.list(ofAtLeast: 1)
        switch elements[0].string {
        case "replay": return .replayed(try EarlierSubmission(elements))
        case "reused": return .keyReused
        case "unknown": return .unknown
        case _: throw UnexpectedReply()
        }
    }
}

/// The submission that an idempotency key stands for.
struct EarlierSubmission: Equatable {
    let createdAt: Timestamp
    let ids: Publication.ReplayedRequest

    /// Decodes `replay`, created ms, then the ids as 30 bytes or as two texts.
    init(_ elements: [RedisValue]) throws(UnexpectedReply) {
        guard elements.count >= 3, let ids = SubmittedIDs.read(elements[2...]) else { throw UnexpectedReply() }
        createdAt = Timestamp(milliseconds: Int64(try elements[1].number()))
        self.ids = ids
    }

    var publication: Publication { Publication(createdAt: createdAt, position: 0, replayed: ids) }
}

/// The ids of a submission as its idempotency key stores them: the 16 bytes of the request's id, and those of the
/// conversation's without the lane, which is the request's.
private enum SubmittedIDs {
    private static let laneBytes = 2

    static func bytes(_ id: CorrelationID, _ conversation: ConversationID) -> [UInt8] {
        id.bits.bytes + conversation.bits.bytes.dropLast(laneBytes)
    }

    /// Reads the 30 bytes, or the two texts that release 1.0 stores.
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

extension Fingerprint {
    /// The part of a meaning that is stored: only the client of a key could find another meaning with the same.
    fileprivate var noted: [UInt8] { Array(bytes.prefix(8)) }
}
