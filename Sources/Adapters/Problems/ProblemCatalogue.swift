internal import Shared

/// The text of `docs/errors.md`, generated from the table of problem types.
package enum ProblemCatalogue {
    /// The whole page.
    package static func document() -> String {
        var text = """
            # Errors

            Generated from the table in `Sources/Adapters/Problems/ProblemType.swift`; regenerate with
            `LEMMA_WRITE_DOCS=1 swift test --filter ProblemsTests`.

            Every error body is `application/problem+json` (RFC 9457) with one of these types; so is the data of a stream's
            `failed` event, where the status is the one that `GET /api/math/requests/{id}` reports in `error`. *Retry*: the same
            request may succeed later without a change, after `Retry-After` where the response has it.

            | status | type | title | retry |
            | --- | --- | --- | --- |

            """
        let rows = ProblemKind.allCases.map(\.problemType).sorted { ($0.status, $0.uri) < ($1.status, $1.uri) }
        for row in rows {
            text += "| \(row.status) | `\(row.uri)` | \(row.title) | \(row.isRetryable ? "yes" : "no") |\n"
        }
        return text
    }
}
