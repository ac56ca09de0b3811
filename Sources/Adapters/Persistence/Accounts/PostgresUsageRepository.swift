package import Application
package import Domain
package import PostgresClient
package import Shared

/// Usage by day in PostgreSQL; ``PostgresRequestArchive`` adds to it.
package struct PostgresUsageRepository: UsageRepository {
    private let database: PostgresDatabase

    package init(_ database: PostgresDatabase) { self.database = database }

    package func days(
        of user: UserID,
        in range: ClosedRange<UTCDay>
    ) async throws(RepositoryFailure) -> [UsageDay] {
        let call = Statements.days(
            .storable(user.text),
            .number(range.lowerBound.number),
            .number(range.upperBound.number),
        )
        return try await database.query([call])[0].map { row in
            UsageDay(
                day: UTCDay(number: row.number(0) ?? 0),
                requests: row.number(1) ?? 0,
                inputTokens: row.number(2) ?? 0,
                outputTokens: row.number(3) ?? 0,
            )
        }
    }

    enum Statements {
        static let days = PostgresStatement(
            """
            SELECT (day - DATE '1970-01-01')::int8, requests, input_tokens, output_tokens FROM usage_days
            WHERE user_id = $1 AND day BETWEEN DATE '1970-01-01' + $2::int4 AND DATE '1970-01-01' + $3::int4
            ORDER BY day
            """
        )
    }
}
