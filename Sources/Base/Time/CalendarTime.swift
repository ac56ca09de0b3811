/// A moment of UTC, split into its calendar parts.
///
/// Covers the years 0000 to 9999, which the text formats can write; an earlier or later moment becomes the first or the
/// last one of them.
package struct CalendarTime: Sendable, Equatable {
    private static let range: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999

    package let year: Int
    /// 1…12.
    package let month: Int
    /// 1…31.
    package let day: Int
    /// 0 is Sunday.
    package let weekday: Int
    package let hour: Int
    package let minute: Int
    package let second: Int
    package let millisecond: Int

    /// Splits Unix time by the proleptic Gregorian calendar.
    ///
    /// The computation lets a year begin in March: the leap day is its last day, and the lengths of the months follow one
    /// linear rule (153 days in five months).
    package init(millisecondsSince1970 time: Int64) {
        let time = Int(min(max(time, Self.range.lowerBound), Self.range.upperBound))
        let (days, millisecondOfDay) = Self.divide(time, by: 86_400_000)
        let (era, dayOfEra) = Self.divide(days + 719_468, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        // 1 January 1970 was a Thursday.
        weekday = Self.divide(days + 4, by: 7).remainder
        hour = millisecondOfDay / 3_600_000
        minute = millisecondOfDay / 60_000 % 60
        second = millisecondOfDay / 1_000 % 60
        millisecond = millisecondOfDay % 1_000
    }

    /// The system's clock, now.
    package static var now: CalendarTime { CalendarTime(millisecondsSince1970: UnixTime.milliseconds) }

    /// Rounds the quotient down, so that the remainder is never negative.
    private static func divide(_ value: Int, by divisor: Int) -> (quotient: Int, remainder: Int) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
