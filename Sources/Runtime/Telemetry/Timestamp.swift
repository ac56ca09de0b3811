internal import Glibc

/// A moment of UTC, split into its calendar parts.
struct Timestamp {
    let year: Int
    let month: Int
    let day: Int
    let hour: Int
    let minute: Int
    let second: Int
    let millisecond: Int

    /// The system's clock, now.
    static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(secondsSince1970: time.tv_sec, millisecond: time.tv_nsec / 1_000_000)
    }

    /// Splits Unix time by the proleptic Gregorian calendar.
    ///
    /// The year is made to begin in March, so that the leap day is its last one and the months' lengths follow one
    /// linear rule (153 days in five months).
    init(secondsSince1970 seconds: Int, millisecond: Int) {
        let days = (seconds - Self.modulo(seconds, 86_400)) / 86_400
        let secondOfDay = Self.modulo(seconds, 86_400)
        let shifted = days + 719_468
        let dayOfEra = Self.modulo(shifted, 146_097)
        let era = (shifted - dayOfEra) / 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = secondOfDay / 3_600
        minute = secondOfDay / 60 % 60
        second = secondOfDay % 60
        self.millisecond = millisecond
    }

    private static func modulo(_ value: Int, _ modulus: Int) -> Int {
        let rest = value % modulus
        return rest < 0 ? rest + modulus : rest
    }

    /// Appends `2026-11-21T12:34:56.789Z` (RFC 3339).
    func appendRFC3339(to line: inout [UInt8]) {
        Self.append(year, digits: 4, to: &line)
        line.append(UInt8(ascii: "-"))
        Self.append(month, digits: 2, to: &line)
        line.append(UInt8(ascii: "-"))
        Self.append(day, digits: 2, to: &line)
        line.append(UInt8(ascii: "T"))
        appendTimeOfDay(to: &line)
        line.append(UInt8(ascii: "Z"))
    }

    /// Appends `12:34:56.789`.
    func appendTimeOfDay(to line: inout [UInt8]) {
        Self.append(hour, digits: 2, to: &line)
        line.append(UInt8(ascii: ":"))
        Self.append(minute, digits: 2, to: &line)
        line.append(UInt8(ascii: ":"))
        Self.append(second, digits: 2, to: &line)
        line.append(UInt8(ascii: "."))
        Self.append(millisecond, digits: 3, to: &line)
    }

    private static func append(_ value: Int, digits: Int, to line: inout [UInt8]) {
        var divisor = digits == 4 ? 1_000 : digits == 3 ? 100 : 10
        while divisor > 0 {
            line.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }
}
