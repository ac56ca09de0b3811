internal import Application
internal import Domain
internal import Shared

/// The names of the fields of a request's Redis hash beside those of ``SolveOption``; the function library writes those
/// about its progress.
enum RequestField: String {
    case status, attempts, created, started, finished, number, cancel, lost
    case user, conversation, problem, wish, reservation
    case opening, endId, beforeEndId, cancelReason, queueMs, firstTokenMs, durationMs
    case provider, model, promptVersion, finishReason, inputTokens, outputTokens, reasoningTokens, estimated
    case errorKind, errorDetail
    case lastErrorKind, lastErrorDetail
    case traceParent, traceState, attemptTrace
}

/// Encodes and decodes the fields of a request's hash.
enum RequestHash {
    /// The fields stored with a submission, as a flat list of names and values.
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
        add(.reservation, request.reservation?.text)
        return fields
    }

    /// The fields stored with the end of a request, as a flat list of names and values.
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

    /// The span of the previous attempt, from a hash as `claim` returns it.
    static func earlierAttempt(_ values: [String: String]) -> TraceCarrier? {
        values[RequestField.attemptTrace.rawValue].map { TraceCarrier(parent: $0, state: nil) }
    }

    /// Reads a hash, or the record of a request's end, which has the same fields; nil if a field is missing or unknown.
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
            reservation: text(.reservation).map { TokenReservation($0) },
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

    /// The highest lost event of each attempt; release 1.0 writes `lost` only.
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
    /// The record of an ended request; nil if it has not ended or cannot be read.
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

    /// True for the first request of its conversation.
    static func opensConversation(_ values: [String: String]) -> Bool { values[RequestField.opening.rawValue] != nil }

    /// Why the last attempt failed.
    static func lastFailure(_ values: [String: String]) -> RequestFailure? {
        let kind = values[RequestField.lastErrorKind.rawValue].flatMap { ProblemKind(rawValue: $0) }
        guard let kind else { return nil }
        return RequestFailure(kind: kind, detail: values[RequestField.lastErrorDetail.rawValue] ?? "")
    }

    /// The reason of the requested cancellation.
    static func cancelReason(_ values: [String: String]) -> CancelReason {
        CancelReason(stored: values[RequestField.cancel.rawValue])
    }
}
