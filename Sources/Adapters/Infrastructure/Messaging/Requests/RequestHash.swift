internal import Application
internal import Domain
internal import RedisClient
internal import Shared

/// The names of the fields of a request's Redis hash beside those of ``SolveOption``; the function library writes those
/// about its progress.
enum RequestField: String {
    case status, attempts, created, started, finished, number, cancel, lost
    case user, conversation, problem, wish
    case opening, endId, beforeEndId, cancelReason, queueMs, firstTokenMs, durationMs
    case provider, model, promptVersion, finishReason, inputTokens, outputTokens, reasoningTokens, estimated
    case errorKind, errorDetail
    case lastErrorKind, lastErrorDetail
    case traceParent, traceState, attemptTrace
}

/// Between a request and the fields of its hash.
enum RequestHash {
    /// What is stored when a request is submitted: names and values in turn.
    static func fields(of request: MathRequest) -> [String] {
        var fields: [String] = []
        func add(_ field: RequestField, _ value: String?) {
            if let value { fields += [field.rawValue, value] }
        }
        add(.user, request.userID.text)
        add(.conversation, request.conversationID.description)
        add(.problem, request.problem.text)
        add(.wish, request.requestedProvider)
        for option in SolveOption.allCases {
            if let value = request.options[option] { fields += [option.rawValue, value.storedText] }
        }
        add(.traceParent, request.trace?.parent)
        add(.traceState, request.trace?.state)
        return fields
    }

    /// What is stored when a request ends: names and values in turn.
    static func fields(of attempt: FinishedAttempt) -> [String] {
        var fields: [String] = []
        func add(_ field: RequestField, _ value: String?) {
            if let value { fields += [field.rawValue, value] }
        }
        let provider = attempt.account.provider
        let usage = attempt.account.usage
        add(.provider, provider.name)
        add(.model, provider.model)
        add(.promptVersion, provider.promptVersion)
        add(.inputTokens, String(usage.inputTokens))
        add(.outputTokens, String(usage.outputTokens))
        add(.reasoningTokens, usage.reasoningTokens.map { String($0) })
        add(.estimated, usage.isEstimated ? "1" : nil)
        switch attempt.outcome {
        case .completed(let reason):
            add(.finishReason, reason.rawValue)
            add(.queueMs, String(attempt.claim.queueMilliseconds))
            add(.firstTokenMs, attempt.firstTokenMilliseconds.map { String($0) })
            add(.durationMs, String(attempt.durationMilliseconds))
        case .failed(let failure):
            add(.errorKind, failure.kind.rawValue)
            add(.errorDetail, failure.detail)
        case .cancelled(let reason): add(.cancelReason, reason.rawValue)
        }
        return fields
    }

    /// Where the attempt before was recorded, of a hash as `claim` gives it.
    static func earlierAttempt(_ reply: RedisValue) -> TraceCarrier? {
        reply.fields[RequestField.attemptTrace.rawValue].map { TraceCarrier(parent: $0, state: nil) }
    }

    /// Reads a hash as HGETALL gives it; nil where it is none of ours.
    static func record(_ id: CorrelationID, _ reply: RedisValue) -> RequestRecord? {
        record(id, reply.fields)
    }

    /// Reads a hash, or a record of the end of a request, which has the same fields.
    static func record(_ id: CorrelationID, _ values: [String: String]) -> RequestRecord? {
        func text(_ field: RequestField) -> String? { values[field.rawValue] }
        func number(_ field: RequestField) -> Int? { text(field).flatMap { Int($0) } }
        func time(_ field: RequestField) -> Timestamp? {
            number(field).map { Timestamp(milliseconds: Int64($0)) }
        }
        guard let status = text(.status).flatMap({ RequestStatus(rawValue: $0) }),
            let created = time(.created),
            let user = text(.user),
            let conversation = text(.conversation).flatMap({ ConversationID($0) }),
            let problem = text(.problem)
        else { return nil }
        let request = MathRequest(
            correlationID: id,
            conversationID: conversation,
            userID: UserID(user),
            problem: MathProblem(stored: problem),
            requestedProvider: text(.wish),
            options: SolveOptions { values[$0.rawValue] },
            trace: text(.traceParent).map { TraceCarrier(parent: $0, state: text(.traceState)) },
        )
        let usage = number(.outputTokens).map { output in
            TokenUsage(
                inputTokens: number(.inputTokens) ?? 0,
                outputTokens: output,
                reasoningTokens: number(.reasoningTokens),
                isEstimated: text(.estimated) != nil,
            )
        }
        return RequestRecord(
            request: request,
            status: status,
            attempts: number(.attempts) ?? 0,
            createdAt: created,
            startedAt: time(.started),
            finishedAt: time(.finished),
            provider: text(.provider),
            model: text(.model),
            finishReason: text(.finishReason).flatMap { FinishReason(rawValue: $0) },
            usage: usage,
            failure: text(.errorKind).flatMap { ProblemKind(rawValue: $0) }.map {
                RequestFailure(kind: $0, detail: text(.errorDetail) ?? "")
            },
            jobNumber: number(.number),
            lost: lostEvents(values),
        )
    }

    /// The furthest event of each attempt that is noted as lost; `lost` alone comes of an earlier release.
    private static func lostEvents(_ values: [String: String]) -> [EventID] {
        var lost = values[RequestField.lost.rawValue].flatMap { EventID($0) }.map { [$0] } ?? []
        let prefix = "\(RequestField.lost.rawValue):"
        for (name, sequence) in values where name.hasPrefix(prefix) {
            if let event = EventID("\(name.dropFirst(prefix.count))-\(sequence)") { lost.append(event) }
        }
        return lost
    }
}

extension RequestHash {
    /// The record of a request that is over; nil where it is not, or none of ours.
    static func finished(_ id: CorrelationID, answer: String, _ values: [String: String]) -> FinishedRequest? {
        func number(_ field: RequestField) -> Int? { values[field.rawValue].flatMap { Int($0) } }
        guard let record = record(id, values), record.status.isTerminal, let finishedAt = record.finishedAt else {
            return nil
        }
        let timings = number(.durationMs).map {
            AnswerTimings(
                queueMilliseconds: number(.queueMs) ?? 0,
                firstTokenMilliseconds: number(.firstTokenMs),
                durationMilliseconds: $0,
            )
        }
        func eventID(_ field: RequestField) -> EventID? { values[field.rawValue].flatMap { EventID($0) } }
        let isCancelled = record.status == .cancelled
        return FinishedRequest(
            request: record.request,
            status: record.status,
            attempts: record.attempts,
            createdAt: record.createdAt,
            startedAt: record.startedAt,
            finishedAt: finishedAt,
            answer: answer,
            provider: record.provider,
            model: record.model,
            promptVersion: values[RequestField.promptVersion.rawValue],
            finishReason: record.finishReason,
            cancelReason: isCancelled ? CancelReason(stored: values[RequestField.cancelReason.rawValue]) : nil,
            failure: record.failure,
            usage: record.usage,
            timings: timings,
            ending: EndingIDs(end: eventID(.endId), before: eventID(.beforeEndId)),
        )
    }

    /// True for the first request of its conversation, from a hash as HGETALL gives it.
    static func opensConversation(_ reply: RedisValue) -> Bool { value(.opening, in: reply) != nil }

    /// Why the last attempt failed, from a hash as HGETALL gives it.
    static func lastFailure(_ reply: RedisValue) -> RequestFailure? {
        guard let kind = value(.lastErrorKind, in: reply).flatMap({ ProblemKind(rawValue: $0) }) else { return nil }
        return RequestFailure(kind: kind, detail: value(.lastErrorDetail, in: reply) ?? "")
    }

    /// Why cancellation is wished, from a hash as HGETALL gives it.
    static func cancelReason(_ reply: RedisValue) -> CancelReason { CancelReason(stored: value(.cancel, in: reply)) }

    private static func value(_ field: RequestField, in reply: RedisValue) -> String? {
        reply.fields[field.rawValue]
    }
}
