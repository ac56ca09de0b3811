internal import Glibc

/// How a response marks the end of its body.
enum BodyFraming {
    case length(Int)
    case chunked
    case untilClose
    /// No body, and no length either (101, 204, 304).
    case none
}

extension [UInt8] {
    /// Appends status line and header section of a response.
    mutating func appendHead(
        status: Int,
        headers: HTTPFields,
        framing: BodyFraming,
        keepsAlive: Bool,
        date: [UInt8]
    ) {
        append("HTTP/1.1 ")
        append(decimal: status)
        append(.space)
        append(reasonPhrase(of: status))
        append("\r\nDate: ")
        append(contentsOf: date)
        append("\r\n")
        for (name, value) in headers.entries {
            append(name)
            append(": ")
            append(value)
            append("\r\n")
        }
        switch framing {
        case .length(let length):
            append("Content-Length: ")
            append(decimal: length)
            append("\r\n")
        case .chunked: append("Transfer-Encoding: chunked\r\n")
        case .untilClose, .none: break
        }
        append(keepsAlive ? "\r\n" : "Connection: close\r\n\r\n")
    }
}

/// The value of the `Date` field, rendered once a second (RFC 9110, section 5.6.7).
struct DateField {
    private var second: time_t = -1
    private var text: [UInt8] = []

    mutating func now() -> [UInt8] {
        let now = time(nil)
        if now != second {
            second = now
            render()
        }
        return text
    }

    private mutating func render() {
        var parts = tm()
        gmtime_r(&second, &parts)
        let days: StaticString = "SunMonTueWedThuFriSat"
        let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"
        text.removeAll(keepingCapacity: true)
        append(days, Int(parts.tm_wday))
        text.append(", ")
        append(twoDigits: Int(parts.tm_mday))
        text.append(.space)
        append(months, Int(parts.tm_mon))
        text.append(.space)
        text.append(decimal: Int(parts.tm_year) + 1900)
        for (separator, part) in [(UInt8.space, parts.tm_hour), (.colon, parts.tm_min), (.colon, parts.tm_sec)] {
            text.append(separator)
            append(twoDigits: Int(part))
        }
        text.append(" GMT")
    }

    private mutating func append(_ names: StaticString, _ index: Int) {
        text.append(contentsOf: UnsafeBufferPointer(start: names.utf8Start + 3 * index, count: 3))
    }

    private mutating func append(twoDigits number: Int) {
        if number < 10 { text.append(UInt8(ascii: "0")) }
        text.append(decimal: number)
    }
}
