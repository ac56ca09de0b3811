internal import Application
internal import Domain
internal import PostgresClient
internal import Shared

/// A request with its answer, as a row of the view `ended_requests`.
enum StoredRequest {
    /// The columns beside those of the options, in the order in which they are selected.
    private enum Column: String, CaseIterable {
        case id
        case conversation = "conversation_id"
        case user = "user_id"
        case problem
        case requestedProvider = "requested_provider"
        case status
        case createdAt = "created_at"
        case responseID = "response_id"
        case content
        case finishedAt = "finished_at"
        case attempts
        case startedAt = "started_at"
        case provider
        case model
        case promptVersion = "prompt_version"
        case finishReason = "finish_reason"
        case cancelReason = "cancel_reason"
        case failureKind = "failure_kind"
        case failureDetail = "failure_detail"
        case inputTokens = "input_tokens"
        case outputTokens = "output_tokens"
        case reasoningTokens = "reasoning_tokens"
        case usageIsEstimated = "usage_is_estimated"
        case queueMilliseconds = "queue_ms"
        case firstTokenMilliseconds = "first_token_ms"
        case durationMilliseconds = "duration_ms"
        case endID = "end_id"
        case beforeEndID = "before_end_id"
    }

    /// The select list that ``read(_:)`` expects.
    static let columns = (Column.allCases.map(\.rawValue) + SolveOption.allCases.map(\.column)).joined(separator: ", ")

    private static let places = Dictionary(uniqueKeysWithValues: zip(Column.allCases, 0...))

    /// Nil for a row that this release cannot read, such as a later release's.
    static func read(_ row: PostgresRow) -> ArchivedRequest? {
        guard let request = request(row), let status: RequestStatus = row.word(at(.status)),
            let createdAt = row.time(at(.createdAt))
        else { return nil }
        guard let responseID: ResponseID = row.id(at(.responseID)), let finishedAt = row.time(at(.finishedAt)),
            status.isTerminal
        else { return .open(request, createdAt: createdAt) }
        let finished = FinishedRequest(
            request: request,
            status: status,
            attempts: row.number(at(.attempts)) ?? 0,
            createdAt: createdAt,
            startedAt: row.time(at(.startedAt)),
            finishedAt: finishedAt,
            answer: row.text(at(.content)) ?? "",
            provider: row.text(at(.provider)),
            model: row.text(at(.model)),
            promptVersion: row.text(at(.promptVersion)),
            finishReason: row.word(at(.finishReason)),
            cancelReason: row.word(at(.cancelReason)),
            failure: row.word(at(.failureKind), ProblemKind.self).map {
                RequestFailure(kind: $0, detail: row.text(at(.failureDetail)) ?? "")
            },
            usage: usage(row),
            timings: timings(row),
            ending: EndingIDs(end: row.eventID(at(.endID)), before: row.eventID(at(.beforeEndID))),
        )
        return .finished(finished, responseID)
    }

    private static func at(_ column: Column) -> Int {
        guard let place = places[column] else { preconditionFailure("\(column.rawValue) is not selected") }
        return place
    }

    private static func request(_ row: PostgresRow) -> MathRequest? {
        guard let id: CorrelationID = row.id(at(.id)),
            let conversation: ConversationID = row.id(at(.conversation)),
            let user = row.text(at(.user))
        else { return nil }
        return MathRequest(
            correlationID: id,
            conversationID: conversation,
            userID: UserID(user),
            problem: MathProblem(stored: row.text(at(.problem)) ?? ""),
            requestedProvider: row.text(at(.requestedProvider)),
            options: options(row),
        )
    }

    private static func options(_ row: PostgresRow) -> SolveOptions {
        var options = SolveOptions()
        for (place, option) in SolveOption.allCases.enumerated() {
            options[option] = row.value(Column.allCases.count + place, of: option)
        }
        return options
    }

    private static func usage(_ row: PostgresRow) -> TokenUsage? {
        guard let input = row.number(at(.inputTokens)), let output = row.number(at(.outputTokens)) else { return nil }
        return TokenUsage(
            inputTokens: input,
            outputTokens: output,
            reasoningTokens: row.number(at(.reasoningTokens)),
            isEstimated: row.boolean(at(.usageIsEstimated)) ?? false,
        )
    }

    private static func timings(_ row: PostgresRow) -> AnswerTimings? {
        guard let queue = row.number(at(.queueMilliseconds)), let duration = row.number(at(.durationMilliseconds))
        else { return nil }
        return AnswerTimings(
            queueMilliseconds: queue,
            firstTokenMilliseconds: row.number(at(.firstTokenMilliseconds)),
            durationMilliseconds: duration,
        )
    }
}
