internal import FoundationEssentials
internal import HTTPClient

/// The pause that a provider asks for, in each form that providers use.
///
/// | where | forms |
/// | --- | --- |
/// | `Retry-After` | `7`, `1.5`, an HTTP date |
/// | `retry-after-ms`, `x-ms-retry-after-ms` | `1200` |
/// | `…ratelimit…reset…`, if nothing else is given | `2m59.56s`, `120ms`, `30`, Unix time in s or ms, RFC 3339 |
/// | `details[].retryDelay` of the body (Google's `RetryInfo`) | `34.07s`, `{"seconds":34,"nanos":70000000}` |
/// | `retry_after`, `retryAfter`, `retry_after_ms` of the body | `2.5` |
enum RetryHint {
    /// A longer pause is ignored.
    private static let secondsMax = 3600.0
    private static let pauseMax = Duration.seconds(secondsMax)

    /// The longest pause that an error response names.
    static func pause(_ head: HTTPClientResponse, _ error: ReportedError) -> Duration? {
        [inHead(head, isBusy: head.status == 429), error.retryAfter].compactMap { $0 }.max()
    }

    /// The pause in the head of an error response; `isBusy` if a rate limit is its cause.
    static func inHead(_ head: HTTPClientResponse, isBusy: Bool, now: Date = Date()) -> Duration? {
        var hints = ["retry-after-ms", "x-ms-retry-after-ms"].compactMap { name in
            head[name].flatMap { Double(trimmed($0)) }.flatMap { pause($0 / 1000) }
        }
        if let value = head["retry-after"], let hint = duration(value, now: now) { hints.append(hint) }
        if let hint = head.retryAfter.flatMap(pause) { hints.append(hint) }
        return hints.max() ?? (isBusy ? resets(head, now).max() : nil)
    }

    /// The pause in the body of an error response.
    static func inBody(_ error: JSONValue, _ details: [JSONValue]) -> Duration? {
        let delays = details.compactMap { $0.first(of: "retryDelay", "retry_delay") }.compactMap {
            (delay) -> Duration? in
            delay.isObject
                ? pause((seconds(delay["seconds"]) ?? 0) + (seconds(delay["nanos"]) ?? 0) / 1e9)
                : text(delay).flatMap { duration($0) }
        }
        let members = [error, error["metadata"] ?? .null].flatMap { value in
            [
                value.first(of: "retry_after", "retryAfter", "retry_after_seconds").flatMap(text).flatMap {
                    duration($0)
                },
                value.first(of: "retry_after_ms", "retryAfterMs").flatMap(seconds).flatMap { pause($0 / 1000) },
            ]
        }
        return (delays + members.compactMap { $0 }).max()
    }

    /// When the limits that are used up are lifted; one with something left is not the cause.
    private static func resets(_ head: HTTPClientResponse, _ now: Date) -> [Duration] {
        head.headers.compactMap { (name, value) -> Duration? in
            guard name.contains("ratelimit"), name.contains("reset") else { return nil }
            let remaining = head[name.replacing("reset", with: "remaining")].flatMap { Double(trimmed($0)) }
            guard remaining ?? 0 <= 0 else { return nil }
            return duration(value, now: now)
        }
    }

    private static func text(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text), .number(let text): text
        case .null, .bool, .array, .object: nil
        }
    }

    private static func seconds(_ value: JSONValue?) -> Double? { value.flatMap(text).flatMap { Double($0) } }

    /// Seconds as a pause that can be kept; nil for none, for a negative number and for NaN.
    ///
    /// Bounded before the conversion: a `Duration` traps above 1.7e20 s.
    private static func pause(_ seconds: Double) -> Duration? {
        seconds > 0 ? .seconds(min(seconds, secondsMax)) : nil
    }

    private static func pause(_ duration: Duration) -> Duration? { duration > .zero ? min(duration, pauseMax) : nil }

    private static func trimmed(_ text: String) -> String { text.filter { !$0.isWhitespace } }

    /// A time to wait, or a moment to wait for.
    static func duration(_ text: String, now: Date = Date()) -> Duration? {
        let text = trimmed(text).lowercased()
        if let number = Double(text) {
            // Longer than any pause: a point in Unix time.
            if number > 1e11 { return pause(number / 1000 - now.timeIntervalSince1970) }
            if number > 1e9 { return pause(number - now.timeIntervalSince1970) }
            return pause(number)
        }
        if let sum = units(text) { return pause(sum) }
        let formats = [Date.ISO8601FormatStyle(), Date.ISO8601FormatStyle(includingFractionalSeconds: true)]
        let moment = formats.lazy.compactMap { try? Date(text.uppercased(), strategy: $0) }.first
        return moment.flatMap { pause($0.timeIntervalSince(now)) }
    }

    private static let unitSeconds = [
        "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400,
    ]

    /// The seconds of `2m59.56s`; nil for anything else.
    private static func units(_ text: String) -> Double? {
        var rest = text[...]
        var sum = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
            let unit = rest.dropFirst(digits.count).prefix { $0.isLetter }
            guard let number = Double(digits), let factor = unitSeconds[String(unit)] else { return nil }
            sum += number * factor
            rest = rest.dropFirst(digits.count + unit.count)
        }
        return text.isEmpty ? nil : sum
    }
}
