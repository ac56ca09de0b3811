internal import Text
internal import Time

/// A rate: `count` events in each `period`.
package struct Rate: Sendable, Hashable {
    /// At least 1.
    package let count: Int
    /// A second, a minute, an hour or a day.
    package let period: Duration

    package init(count: Int, period: Duration) {
        self.count = count
        self.period = period
    }
}

extension SettingFormat<Bool> {
    /// `true` or `false`.
    package static var boolean: Self {
        Self("`true` or `false`") { ["true": true, "false": false][$0] }
    }
}

extension SettingFormat<Int> {
    /// A decimal integer within `range`, without leading zeros and without `+`.
    package static func integer(_ range: ClosedRange<Int>) -> Self {
        let allowed =
            range.upperBound == .max
            ? "an integer from \(range.lowerBound)" : "an integer from \(range.lowerBound) to \(range.upperBound)"
        return Self(allowed) { text in
            guard let value = Int(text), String(value) == text, range.contains(value) else { return nil }
            return value
        }
    }

    /// A size with its unit, in bytes: `1024B`, `64KiB`, `1MiB`, `2GiB`.
    package static func bytes(_ range: ClosedRange<Int>) -> Self {
        let allowed = "a size such as `1024B`, `256KiB` or `1MiB`, from \(range.lowerBound)B to \(range.upperBound)B"
        return Self(allowed) { text in
            guard let value = Quantity(text)?.scaled(by: Quantity.bytes), range.contains(value) else { return nil }
            return value
        }
    }
}

extension SettingFormat<Double> {
    /// A decimal number within `range`, without exponent.
    package static func number(_ range: ClosedRange<Double>) -> Self {
        Self("a number from \(range.lowerBound) to \(range.upperBound)") { text in
            guard text.utf8.allSatisfy({ $0.isDigit || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }),
                let value = Double(text), range.contains(value)
            else { return nil }
            return value
        }
    }
}

extension SettingFormat<Duration> {
    /// A whole number with a unit (`ms`, `s`, `m`, `h`, `d`), from `least` to ten years.
    package static func duration(from least: Duration = .milliseconds(1)) -> Self {
        let milliseconds = least.wholeMilliseconds
        let from = milliseconds % 1_000 == 0 ? "\(milliseconds / 1_000)s" : "\(milliseconds)ms"
        return Self("a duration such as `250ms`, `30s`, `15m`, `1h` or `30d`, at least `\(from)`") { text in
            guard let value = Quantity(text)?.scaled(by: Quantity.milliseconds) else { return nil }
            let duration = Duration.milliseconds(value)
            return (least...(.seconds(3_650 * 86_400))).contains(duration) ? duration : nil
        }
    }
}

extension SettingFormat<Rate> {
    /// A count of at least 1 per `s`, `m`, `h` or `d`: `60/m`.
    package static var rate: Self {
        Self("a rate such as `10/s`, `60/m` or `1000/h`") { text in
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, let count = Int(parts[0]), String(count) == parts[0], count > 0,
                parts[1] != "ms", let period = Quantity.milliseconds[String(parts[1])]
            else { return nil }
            return Rate(count: count, period: .milliseconds(period))
        }
    }
}

/// Decimal digits followed at once by a unit.
private struct Quantity {
    static let milliseconds = ["ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
    static let bytes = ["B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30]

    let amount: Int
    let unit: String

    init?(_ text: String) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let amount = Int(digits) else { return nil }
        self.amount = amount
        unit = String(text[digits.endIndex...])
    }

    /// The amount in the smallest unit; nil for an unknown unit and on overflow.
    func scaled(by units: [String: Int]) -> Int? {
        guard let factor = units[unit] else { return nil }
        let (value, overflow) = amount.multipliedReportingOverflow(by: factor)
        return overflow ? nil : value
    }
}
