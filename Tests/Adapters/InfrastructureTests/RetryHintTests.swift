import FoundationEssentials
import TestSupport
import Testing

@testable import HTTPClient
@testable import Infrastructure

@Suite("How long a provider wants to be left alone", .tags(.unit))
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

    /// Numbers that no count of seconds, milliseconds or bytes can be.
    private static let huge = [
        "1e19", "1e30", "1e300", "1e308", "1e999", "9223372036854775808", String(repeating: "9", count: 400),
    ]
    private static let numbers = huge + huge.map { "-\($0)" } + ["-1", "0", "nan", "-nan", "-inf"]

    /// The longest pause for a huge number; none for a negative one.
    private func expected(_ number: String) -> Double? { Double(number).flatMap { $0 > 0 ? 3600 : nil } }

    @Test("a number of any size is a pause of an hour at most", arguments: numbers)
    func hugeNumbers(number: String) throws {
        let expected = expected(number)
        for name in ["retry-after", "retry-after-ms", "x-ms-retry-after-ms", "x-ratelimit-reset"] {
            #expect(seconds(RetryHint.inHead(Self.head([name: number]), isBusy: true, now: Self.now)) == expected)
        }
        for body in [
            #"{"error":{"retry_after":"\#(number)"}}"#, #"{"error":{"retry_after_ms":"\#(number)"}}"#,
            #"{"error":{"details":[{"retryDelay":{"seconds":"\#(number)","nanos":"\#(number)"}}]}}"#,
        ] {
            #expect(seconds(ErrorReport.read(try JSONReader.value(body[...].utf8)).retryAfter) == expected)
        }
    }

    @Test(
        "a number of any size with a unit is a pause of an hour at most",
        arguments: ["s", "ms", "ns", "m", "h", "d"]
    )
    func hugeUnits(unit: String) {
        for digits in [30, 300, 400] {
            let text = String(repeating: "9", count: digits) + unit
            #expect(RetryHint.duration(text, now: Self.now) == .seconds(3600))
            #expect(RetryHint.duration("-" + text, now: Self.now) == nil)
            #expect(RetryHint.duration(text + text, now: Self.now) == .seconds(3600))
        }
    }

    @Test(
        "a date of any kind is a pause of an hour at most",
        arguments: [
            "9999-12-31T23:59:59Z", "99999999999999999999-01-01T00:00:00Z", "2027-99-99T99:99:99Z",
            "2027-00-00T00:00:00Z", "0000-00-00T00:00:00Z", "-9999-01-01T00:00:00Z", "2027-01-15T08:00:00+99:99",
            "2027-01-15T08:00:00.99999999999999999999999999Z", "2027-01-15T08:00:00-9999999999999999999999",
            "9223372036854775807-9223372036854775807-9223372036854775807T00:00:00Z",
        ],
    )
    func oddDates(text: String) {
        let hint = RetryHint.duration(text, now: Self.now) ?? .zero
        #expect((.zero...(.seconds(3600))).contains(hint))
    }
}
