/// Reads the date formats of RFC 3339, section 5.6.
package enum RFC3339 {
    /// Milliseconds since 1970 of a `date-time`, such as `2026-11-21T09:30:00.250Z` or `2026-11-21T10:30:00+01:00`; nil for
    /// any other text.
    ///
    /// Digits of the fraction behind the third are dropped. A leap second is the first moment of the next minute.
    package static func milliseconds(_ text: String) -> Int64? {
        var reader = Reader(text)
        guard let day = reader.day(), reader.takes("Tt"), let hour = reader.number(2, in: 0...23), reader.takes(":"),
            let minute = reader.number(2, in: 0...59), reader.takes(":"), let second = reader.number(2, in: 0...60),
            let fraction = reader.fraction(), let offset = reader.offset(), reader.isAtEnd
        else { return nil }
        let seconds = day * 86_400 + (hour * 60 + minute - offset) * 60 + second
        return Int64(seconds) * 1000 + Int64(fraction)
    }

    /// Days since 1970-01-01 of a `full-date`, such as `2026-11-21`; nil for any other text.
    package static func day(_ text: String) -> Int? {
        var reader = Reader(text)
        guard let day = reader.day(), reader.isAtEnd else { return nil }
        return day
    }

    private struct Reader {
        private var rest: Substring.UTF8View

        init(_ text: String) { rest = Substring(text).utf8 }

        var isAtEnd: Bool { rest.isEmpty }

        /// Takes one of the ASCII characters of `allowed`.
        mutating func takes(_ allowed: StaticString) -> Bool {
            guard let byte = rest.first, "\(allowed)".utf8.contains(byte) else { return false }
            rest.removeFirst()
            return true
        }

        /// Takes exactly `digits` digits.
        mutating func number(_ digits: Int, in range: ClosedRange<Int>) -> Int? {
            let text = rest.prefix(digits)
            guard text.count == digits, let value = Self.decimal(text), range.contains(value) else { return nil }
            rest.removeFirst(digits)
            return value
        }

        mutating func day() -> Int? {
            guard let year = number(4, in: 0...9999), takes("-"), let month = number(2, in: 1...12), takes("-"),
                let day = number(2, in: 1...CalendarTime.days(inMonth: month, of: year))
            else { return nil }
            return CalendarTime.daysSince1970(year: year, month: month, day: day)
        }

        /// Milliseconds; 0 where there is no fraction, nil where it has no digit.
        mutating func fraction() -> Int? {
            guard takes(".") else { return 0 }
            let digits = rest.prefix { Self.isDigit($0) }
            guard !digits.isEmpty else { return nil }
            rest.removeFirst(digits.count)
            let three = Array(digits.prefix(3)) + Array(repeating: UInt8(ascii: "0"), count: max(0, 3 - digits.count))
            return Self.decimal(three)
        }

        /// Minutes ahead of UTC.
        mutating func offset() -> Int? {
            if takes("Zz") { return 0 }
            let isAhead = rest.first == UInt8(ascii: "+")
            guard takes("+-"), let hours = number(2, in: 0...23), takes(":"), let minutes = number(2, in: 0...59) else {
                return nil
            }
            return (hours * 60 + minutes) * (isAhead ? 1 : -1)
        }

        private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

        private static func decimal(_ digits: some Collection<UInt8>) -> Int? {
            guard digits.allSatisfy(isDigit) else { return nil }
            return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        }
    }
}

extension CalendarTime {
    /// 28 to 31, by the proleptic Gregorian calendar.
    static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// The inverse of the computation in ``init(millisecondsSince1970:)``, for a year from 0 on.
    static func daysSince1970(year: Int, month: Int, day: Int) -> Int {
        // Shifted by one era, so that the division never rounds a negative number.
        let yearFromMarch = year + 400 - (month <= 2 ? 1 : 0)
        let (era, yearOfEra) = yearFromMarch.quotientAndRemainder(dividingBy: 400)
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return (era - 1) * 146_097 + dayOfEra - 719_468
    }
}
