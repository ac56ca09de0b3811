internal import Time

/// How a response marks the end of its body.
enum BodyFraming {
    case length(Int)
    case chunked
    case untilClose
    /// No body, and no length either (101, 204, 304).
    case none
}

extension [UInt8] {
    /// Appends header fields, one line each.
    mutating func append(_ fields: HTTPFields) {
        for (name, value) in fields.entries {
            append(name)
            append(": ")
            append(value)
            append("\r\n")
        }
    }

    /// Appends status line and header section of a response; `common` are the lines that all responses have.
    mutating func appendHead(
        status: Int,
        headers: HTTPFields,
        common: [UInt8],
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
        append(headers)
        append(contentsOf: common)
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
    /// Seconds since 1970.
    private var second: Int64 = -1
    private var text: [UInt8] = []

    mutating func now() -> [UInt8] {
        let now = UnixTime.milliseconds
        if now / 1000 != second {
            second = now / 1000
            text.removeAll(keepingCapacity: true)
            CalendarTime(millisecondsSince1970: now).appendHTTPDate(to: &text)
        }
        return text
    }
}
