import FoundationEssentials
import Testing

@testable import HTTPClient
@testable import Infrastructure

@Suite("How long a provider wants to be left alone")
struct RetryHintTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)

    private static func head(_ fields: [String: String]) -> HTTPClientResponse {
        HTTPClientResponse(status: 429, headers: fields.map { ($0.key, $0.value) })
    }

    /// Seconds to a thousandth.
    private func seconds(_ hint: Duration?) -> Double? { hint.map { (($0 / .milliseconds(1)).rounded()) / 1000 } }

    @Test(
        "in the head",
        arguments: [
            (["retry-after": "7"], 7), (["retry-after": "1.5"], 1.5), (["retry-after-ms": "1200"], 1.2),
            (["x-ms-retry-after-ms": "250"], 0.25), (["retry-after": "2", "retry-after-ms": "1200"], 2),
            (["x-ratelimit-reset-requests": "2m59.56s"], 179.56), (["x-ratelimit-reset-tokens": "7.66s"], 7.66),
            (["x-ratelimit-reset-tokens": "120ms"], 0.12), (["x-ratelimit-reset": "30"], 30),
            (["x-ratelimit-reset": "1800000034070"], 34.07), (["x-ratelimit-reset": "1800000034"], 34),
            (["anthropic-ratelimit-requests-reset": "2027-01-15T08:00:10Z"], 10), (["ratelimit-reset": "6m0s"], 360),
            (["x-ratelimit-reset-requests": "1s", "x-ratelimit-remaining-requests": "5"], nil),
            (
                [
                    "x-ratelimit-reset-requests": "9s", "x-ratelimit-remaining-requests": "5",
                    "x-ratelimit-reset-tokens": "2s", "x-ratelimit-remaining-tokens": "0",
                ], 2
            ),
            (["retry-after": "3", "x-ratelimit-reset-requests": "1h"], 3), (["retry-after": "86400"], 3600),
            (["retry-after": "soon"], nil), (["retry-after": "-1"], nil), (["retry-after": "0"], nil),
            (["retry-after": "nan"], nil), (["x-ratelimit-reset": "s"], nil), ([:], nil),
        ] as [([String: String], Double?)],
    )
    func heads(fields: [String: String], expected: Double?) {
        #expect(seconds(RetryHint.inHead(Self.head(fields), isBusy: true, now: Self.now)) == expected)
    }

    @Test("limits of rate count only where they are the cause")
    func cause() {
        #expect(RetryHint.inHead(Self.head(["x-ratelimit-reset-requests": "1s"]), isBusy: false) == nil)
    }

    @Test(
        "in the body",
        arguments: [
            (#"{"error":{"code":429,"details":[{"@type":"x"},{"@type":"y.RetryInfo","retryDelay":"34.07s"}]}}"#, 34.07),
            (#"{"error":{"details":[{"retryDelay":{"seconds":"34","nanos":70000000}}]}}"#, 34.07),
            (#"[{"error":{"details":[{"retryDelay":"34s"}]}}]"#, 34), (#"{"error":{"retry_after":2.5}}"#, 2.5),
            (#"{"error":{"message":"m"},"retry_after_ms":"250"}"#, 0.25),
            (#"{"error":{"details":[{"retryDelay":"0s"}]}}"#, nil),
            (#"{"error":{"details":"x","retry_after":[]}}"#, nil),
        ] as [(String, Double?)],
    )
    func bodies(body: String, expected: Double?) throws {
        #expect(seconds(ErrorReport.read(try JSONReader.value(body[...].utf8)).retryAfter) == expected)
    }
}
