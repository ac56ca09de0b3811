extension CalendarTime {
    /// Appends `2026-11-21T12:34:56.789Z` (RFC 3339).
    package func appendRFC3339(to text: inout [UInt8]) {
        Self.append(year, digits: 4, to: &text)
        text.append(UInt8(ascii: "-"))
        Self.append(month, digits: 2, to: &text)
        text.append(UInt8(ascii: "-"))
        Self.append(day, digits: 2, to: &text)
        text.append(UInt8(ascii: "T"))
        appendTimeOfDay(to: &text)
        text.append(UInt8(ascii: "Z"))
    }

    /// Appends `12:34:56.789`.
    package func appendTimeOfDay(to text: inout [UInt8]) {
        appendClock(to: &text)
        text.append(UInt8(ascii: "."))
        Self.append(millisecond, digits: 3, to: &text)
    }

    /// Appends `Sat, 21 Nov 2026 12:34:56 GMT`, the IMF-fixdate of HTTP (RFC 9110, section 5.6.7).
    package func appendHTTPDate(to text: inout [UInt8]) {
        text.append(contentsOf: Self.weekdays[weekday].utf8)
        text.append(contentsOf: ", ".utf8)
        Self.append(day, digits: 2, to: &text)
        text.append(UInt8(ascii: " "))
        text.append(contentsOf: Self.months[month - 1].utf8)
        text.append(UInt8(ascii: " "))
        Self.append(year, digits: 4, to: &text)
        text.append(UInt8(ascii: " "))
        appendClock(to: &text)
        text.append(contentsOf: " GMT".utf8)
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// Appends `12:34:56`.
    private func appendClock(to text: inout [UInt8]) {
        Self.append(hour, digits: 2, to: &text)
        text.append(UInt8(ascii: ":"))
        Self.append(minute, digits: 2, to: &text)
        text.append(UInt8(ascii: ":"))
        Self.append(second, digits: 2, to: &text)
    }

    private static func append(_ value: Int, digits: Int, to text: inout [UInt8]) {
        var divisor = digits == 4 ? 1_000 : digits == 3 ? 100 : 10
        while divisor > 0 {
            text.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }
}
