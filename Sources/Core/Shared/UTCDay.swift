internal import Time

/// A day of UTC, as the days since 1970-01-01.
package struct UTCDay: Sendable, Hashable, Comparable, CustomStringConvertible {
    package static let milliseconds: Int64 = 86_400_000

    package let number: Int

    package init(number: Int) { self.number = number }

    /// The day that contains `time`.
    package init(of time: Timestamp) {
        let (quotient, remainder) = time.milliseconds.quotientAndRemainder(dividingBy: Self.milliseconds)
        number = Int(quotient) - (remainder < 0 ? 1 : 0)
    }

    /// The day that a text such as `2026-11-30` names; nil for any other text.
    package init?(_ text: String) {
        guard let number = RFC3339.day(text) else { return nil }
        self.number = number
    }

    /// Its first moment.
    package var start: Timestamp { Timestamp(milliseconds: Int64(number) * Self.milliseconds) }

    /// The day that many days later, or earlier.
    package func advanced(by days: Int) -> UTCDay { UTCDay(number: number + days) }

    package static func < (one: UTCDay, other: UTCDay) -> Bool { one.number < other.number }

    /// `2026-11-30` (RFC 3339, full-date).
    package var description: String { String(start.description.prefix(10)) }
}
