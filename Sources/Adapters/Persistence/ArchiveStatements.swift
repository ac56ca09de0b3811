internal import Domain
internal import PostgresClient

/// The statements of an ``ArchiveBatch``, in their order.
///
/// They lock rows in the order of ids, and days of usage in the order of user and day, so that two batches cannot deadlock.
enum ArchiveStatements {
    /// The accounts that do not exist or whose erasure has begun; ``ErasureLock`` keeps that as it is to the end of the batch.
    static let missing = PostgresStatement(
        """
        SELECT a.id FROM unnest($1::uuid[]) AS a (id)
        WHERE NOT EXISTS (SELECT FROM users AS u WHERE u.id = a.id AND u.erasure_began_at IS NULL)
        """
    )

    /// True for entries of users without an account, and of accounts that exist.
    private static func isKept(_ entry: String) -> String {
        """
        (\(entry).account_id IS NULL
            OR EXISTS (SELECT FROM users AS u WHERE u.id = \(entry).account_id AND u.erasure_began_at IS NULL))
        """
    }

    static let open = PostgresStatement(
        composed: """
            INSERT INTO conversations (id, user_id, created_at, updated_at, title)
            SELECT c.id, c.user_id, c.created_at, c.updated_at, c.title
            FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::uuid[])
                AS c (id, user_id, created_at, updated_at, title, account_id)
            WHERE \(isKept("c"))
            ORDER BY c.id
            ON CONFLICT (id) DO NOTHING
            """
    )

    /// Waits for concurrent deletions, so that the statements after this one see their result.
    static let lock = PostgresStatement(
        "SELECT FROM conversations WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
    )

    /// Keeps requests and answers, and adds what is new to the usage: rows that are there already add nothing, however often
    /// their records come.
    ///
    /// A request that is neither new nor ended by this batch has its answer already. `xmax` is 0 for a row that was inserted,
    /// and the locking transaction for one that the conflict found (PostgreSQL manual, section 5.5).
    static let keep = PostgresStatement(
        composed: """
            WITH kept AS (
                INSERT INTO math_requests AS known (\(names(requestColumns)))
                SELECT \(names(requestColumns, of: "r"))
                FROM unnest(\(parameters(requestColumns + [account], from: 1)))
                    AS r (\(names(requestColumns + [account])))
                JOIN conversations AS c ON c.id = r.conversation_id AND c.user_id = r.user_id AND c.deleted_at IS NULL
                WHERE \(isKept("r"))
                ORDER BY r.id
                ON CONFLICT (id) DO UPDATE SET status = excluded.status, updated_at = excluded.updated_at
                WHERE known.status = 'queued' AND excluded.status <> 'queued'
                RETURNING known.id, known.user_id, known.created_at, known.xmax = 0 AS is_new
            ), answered AS (
                INSERT INTO ai_responses (\(names(answerColumns)), updated_at)
                SELECT \(names(answerColumns, of: "a")), a.created_at
                FROM unnest(\(parameters(answerColumns, from: requestColumns.count + 2)))
                    AS a (\(names(answerColumns)))
                JOIN kept AS r ON r.id = a.request_id
                ORDER BY a.request_id
                ON CONFLICT (request_id) DO NOTHING
                RETURNING request_id, input_tokens, output_tokens
            )
            INSERT INTO usage_days AS known (user_id, day, requests, input_tokens, output_tokens)
            SELECT r.user_id, (r.created_at AT TIME ZONE 'UTC')::date AS day, count(*) FILTER (WHERE r.is_new),
                COALESCE(sum(a.input_tokens), 0)::int8, COALESCE(sum(a.output_tokens), 0)::int8
            FROM kept AS r LEFT JOIN answered AS a ON a.request_id = r.id
            GROUP BY r.user_id, day ORDER BY r.user_id, day
            ON CONFLICT (user_id, day) DO UPDATE SET requests = known.requests + excluded.requests,
                input_tokens = known.input_tokens + excluded.input_tokens,
                output_tokens = known.output_tokens + excluded.output_tokens
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

    // MARK: Columns

    /// A column of a table, and the type of the parameter with its values.
    private struct Column {
        let name: String
        let arrayType: String

        init(_ name: String, _ arrayType: String) {
            self.name = name
            self.arrayType = arrayType
        }
    }

    /// In the order of the batch's parameters.
    private static let requestColumns =
        [
            Column("id", "uuid[]"), Column("conversation_id", "uuid[]"), Column("user_id", "text[]"),
            Column("problem", "text[]"), Column("requested_provider", "text[]"), Column("status", "text[]"),
            Column("created_at", "timestamptz[]"), Column("updated_at", "timestamptz[]"),
        ] + SolveOption.allCases.map { Column($0.column, $0.arrayType) }
    private static let account = Column("account_id", "uuid[]")

    /// The same of answers.
    private static let answerColumns = [
        Column("id", "uuid[]"), Column("request_id", "uuid[]"), Column("content", "text[]"),
        Column("attempts", "int8[]"),
        Column("provider", "text[]"), Column("model", "text[]"), Column("prompt_version", "text[]"),
        Column("finish_reason", "text[]"), Column("cancel_reason", "text[]"), Column("failure_kind", "text[]"),
        Column("failure_detail", "text[]"), Column("input_tokens", "int8[]"), Column("output_tokens", "int8[]"),
        Column("reasoning_tokens", "int8[]"), Column("usage_is_estimated", "bool[]"), Column("queue_ms", "int8[]"),
        Column("first_token_ms", "int8[]"), Column("duration_ms", "int8[]"), Column("started_at", "timestamptz[]"),
        Column("created_at", "timestamptz[]"), Column("end_id", "text[]"), Column("before_end_id", "text[]"),
    ]

    private static func names(_ columns: [Column], of row: String? = nil) -> String {
        columns.map { column in row.map { "\($0).\(column.name)" } ?? column.name }.joined(separator: ", ")
    }

    private static func parameters(_ columns: [Column], from first: Int) -> String {
        columns.enumerated().map { place, column in "$\(first + place)::\(column.arrayType)" }.joined(separator: ", ")
    }
}
