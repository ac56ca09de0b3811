internal import Application
internal import Domain
internal import PostgresClient
internal import Shared

/// A batch of records as parameter arrays, with one row for each request and each conversation.
///
/// The statements lock rows in the order of ids, so that two batches cannot deadlock.
struct ArchiveBatch {
    /// The records of one conversation in the batch.
    private struct ConversationSpan {
        let id: ConversationID
        let userID: UserID
        let firstProblem: MathProblem
        let from: Timestamp
        let to: Timestamp
    }

    private let requests: [(entry: ArchiveEntry, createdAt: Timestamp, updatedAt: Timestamp)]
    private let conversations: [ConversationSpan]
    private let identifiers: IdentifierFactory

    init(_ entries: [ArchiveEntry], identifiers: IdentifierFactory) {
        self.identifiers = identifiers
        var latest: [CorrelationID: ArchiveEntry] = [:]
        for entry in entries {
            switch entry {
            case .finished: latest[entry.request.correlationID] = entry
            case .submitted: latest[entry.request.correlationID] = latest[entry.request.correlationID] ?? entry
            }
        }
        requests = latest.values.map { entry in
            switch entry {
            case .submitted(_, let createdAt): (entry, createdAt, createdAt)
            case .finished(let finished): (entry, finished.createdAt, finished.finishedAt)
            }
        }
        var spans: [ConversationID: ConversationSpan] = [:]
        for (entry, createdAt, updatedAt) in requests {
            let id = entry.request.conversationID
            let known = spans[id]
            let isFirst = createdAt < known?.from ?? .distantFuture
            spans[id] = ConversationSpan(
                id: id,
                userID: known?.userID ?? entry.request.userID,
                firstProblem: isFirst ? entry.request.problem : known?.firstProblem ?? entry.request.problem,
                from: min(known?.from ?? createdAt, createdAt),
                to: max(known?.to ?? updatedAt, updatedAt),
            )
        }
        conversations = Array(spans.values)
    }

    var calls: [PostgresCall] {
        [
            PostgresCall(Statements.open, conversationColumns + [titles]),
            Statements.lock(.uuids(conversations.map { PostgresUUID($0.id) })),
            PostgresCall(Statements.keepRequests, requestColumns),
            PostgresCall(Statements.keepAnswers, answerColumns),
            PostgresCall(Statements.touch, conversationColumns),
        ]
    }

    private var conversationColumns: [PostgresValue] {
        [
            .uuids(conversations.map { PostgresUUID($0.id) }),
            .texts(conversations.map { $0.userID.text.storable }),
            .timestamps(conversations.map { PostgresTimestamp($0.from) }),
            .timestamps(conversations.map { PostgresTimestamp($0.to) }),
        ]
    }

    private var titles: PostgresValue {
        .texts(conversations.map { ConversationTitle(of: $0.firstProblem).text.storable })
    }

    private var requestColumns: [PostgresValue] {
        let all = requests.map { $0.entry.request }
        let options = all.map(\.options)
        return [
            .uuids(all.map { PostgresUUID($0.correlationID) }),
            .uuids(all.map { PostgresUUID($0.conversationID) }),
            .texts(all.map { $0.userID.text.storable }),
            .texts(all.map { $0.problem.text.storable }),
            .texts(all.map { $0.requestedProvider?.storable }),
            .texts(
                requests.map { request in
                    switch request.entry {
                    case .submitted: RequestStatus.queued.rawValue
                    case .finished(let finished): finished.status.rawValue
                    }
                }
            ),
            .timestamps(requests.map { PostgresTimestamp($0.createdAt) }),
            .timestamps(requests.map { PostgresTimestamp($0.updatedAt) }),
        ] + SolveOption.allCases.map { $0.column(options) }
    }

    private var answerColumns: [PostgresValue] {
        let all: [FinishedRequest] = requests.compactMap { request in
            switch request.entry {
            case .submitted: nil
            case .finished(let finished): finished
            }
        }
        func texts(_ text: (FinishedRequest) -> String?) -> PostgresValue { .texts(all.map { text($0)?.storable }) }
        func numbers(_ number: (FinishedRequest) -> Int?) -> PostgresValue {
            .integers(all.map { number($0).map { Int64($0) } })
        }
        return [
            .uuids(all.map { _ in PostgresUUID(identifiers.make(ResponseID.self)) }),
            .uuids(all.map { PostgresUUID($0.request.correlationID) }),
            texts(\.answer), numbers(\.attempts), texts(\.provider), texts(\.model), texts(\.promptVersion),
            texts(\.finishReason?.rawValue), texts(\.cancelReason?.rawValue), texts(\.failure?.kind.rawValue),
            texts(\.failure?.detail), numbers(\.usage?.inputTokens), numbers(\.usage?.outputTokens),
            numbers(\.usage?.reasoningTokens), .booleans(all.map { $0.usage?.isEstimated }),
            numbers(\.timings?.queueMilliseconds), numbers(\.timings?.firstTokenMilliseconds),
            numbers(\.timings?.durationMilliseconds),
            .timestamps(all.map { $0.startedAt.map { PostgresTimestamp($0) } }),
            .timestamps(all.map { PostgresTimestamp($0.finishedAt) }),
            texts(\.ending?.end.description), texts(\.ending?.before.description),
        ]
    }

    enum Statements {
        static let open = PostgresStatement(
            """
            INSERT INTO conversations (id, user_id, created_at, updated_at, title)
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[]) AS c (id)
            ORDER BY c.id
            ON CONFLICT (id) DO NOTHING
            """
        )
        /// Waits for concurrent deletions, so that the statements after this one see their result.
        static let lock = PostgresStatement(
            "SELECT FROM conversations WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
        )
        private static let optionColumns = SolveOption.allCases.map(\.column).joined(separator: ", ")
        /// The parameters after the eight fixed ones.
        private static let optionParameters = SolveOption.allCases.enumerated()
            .map { place, option in "$\(9 + place)::\(option.arrayType)" }
            .joined(separator: ", ")
        static let keepRequests = PostgresStatement(
            composed: """
                INSERT INTO math_requests AS known (id, conversation_id, user_id, problem, requested_provider, status,
                    created_at, updated_at, \(optionColumns))
                SELECT r.* FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
                    $7::timestamptz[], $8::timestamptz[], \(optionParameters)) AS r (id, conversation_id, user_id)
                JOIN conversations AS c ON c.id = r.conversation_id AND c.user_id = r.user_id AND c.deleted_at IS NULL
                ORDER BY r.id
                ON CONFLICT (id) DO UPDATE SET status = excluded.status, updated_at = excluded.updated_at
                WHERE known.status = 'queued' AND excluded.status <> 'queued'
                """
        )
        static let keepAnswers = PostgresStatement(
            """
            INSERT INTO ai_responses (id, request_id, content, attempts, provider, model, prompt_version, finish_reason,
                cancel_reason, failure_kind, failure_detail, input_tokens, output_tokens, reasoning_tokens,
                usage_is_estimated, queue_ms, first_token_ms, duration_ms, started_at, created_at, end_id,
                before_end_id, updated_at)
            SELECT a.*, a.created_at FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int8[], $5::text[], $6::text[],
                $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::int8[], $13::int8[], $14::int8[],
                $15::bool[], $16::int8[], $17::int8[], $18::int8[], $19::timestamptz[], $20::timestamptz[],
                $21::text[], $22::text[])
                AS a (id, request_id, content, attempts, provider, model, prompt_version, finish_reason, cancel_reason,
                failure_kind, failure_detail, input_tokens, output_tokens, reasoning_tokens, usage_is_estimated,
                queue_ms, first_token_ms, duration_ms, started_at, created_at, end_id, before_end_id)
            JOIN math_requests AS r ON r.id = a.request_id
            ORDER BY a.request_id
            ON CONFLICT (request_id) DO NOTHING
            """
        )
        static let touch = PostgresStatement(
            """
            UPDATE conversations AS known SET created_at = LEAST(known.created_at, c.created_at),
                updated_at = GREATEST(known.updated_at, c.updated_at)
            FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[])
                AS c (id, user_id, created_at, updated_at)
            WHERE known.id = c.id AND known.user_id = c.user_id AND known.deleted_at IS NULL
                AND (known.created_at > c.created_at OR known.updated_at < c.updated_at)
            """
        )
    }
}
