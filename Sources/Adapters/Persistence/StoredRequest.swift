internal import Application
internal import Domain
internal import PostgresClient
internal import Shared

/// A request with its answer, as the view `ended_requests` gives it.
enum StoredRequest {
    /// Nil for a row of another release that this one cannot read.
    static func read(_ row: PostgresRow) -> ArchivedRequest? {
        guard let request = request(row), let status: RequestStatus = row.word(9), let createdAt = row.time(10) else {
            return nil
        }
        guard let responseID: ResponseID = row.id(11), let finishedAt = row.time(13), status.isTerminal else {
            return .open(request, createdAt: createdAt)
        }
        let finished = FinishedRequest(
            request: request,
            status: status,
            attempts: row.number(14) ?? 0,
            createdAt: createdAt,
            startedAt: row.time(15),
            finishedAt: finishedAt,
            answer: row.text(12) ?? "",
            provider: row.text(16),
            model: row.text(17),
            promptVersion: row.text(18),
            finishReason: row.word(19),
            cancelReason: row.word(20),
            failure: row.word(21, ProblemKind.self).map { RequestFailure(kind: $0, detail: row.text(22) ?? "") },
            usage: usage(row),
            timings: timings(row),
            ending: EndingIDs(end: row.eventID(30), before: row.eventID(31)),
        )
        return .finished(finished, responseID)
    }

    private static func request(_ row: PostgresRow) -> MathRequest? {
        guard let id: CorrelationID = row.id(0), let conversation: ConversationID = row.id(1), let user = row.text(2)
        else { return nil }
        return MathRequest(
            correlationID: id,
            conversationID: conversation,
            userID: UserID(user),
            problem: MathProblem(stored: row.text(3) ?? ""),
            requestedProvider: row.text(4),
            options: SolveOptions(
                temperature: row.double(5),
                maxOutputTokens: row.number(6),
                onDisconnect: row.word(7) ?? .continue,
                onBusy: row.word(8) ?? .enqueue,
            ),
        )
    }

    private static func usage(_ row: PostgresRow) -> TokenUsage? {
        guard let input = row.number(23), let output = row.number(24) else { return nil }
        return TokenUsage(
            inputTokens: input,
            outputTokens: output,
            reasoningTokens: row.number(25),
            isEstimated: row.boolean(26) ?? false,
        )
    }

    private static func timings(_ row: PostgresRow) -> AnswerTimings? {
        guard let queue = row.number(27), let duration = row.number(29) else { return nil }
        return AnswerTimings(
            queueMilliseconds: queue,
            firstTokenMilliseconds: row.number(28),
            durationMilliseconds: duration,
        )
    }
}
