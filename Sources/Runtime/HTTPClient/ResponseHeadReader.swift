internal import Text

/// Puts the head of a response together out of the lines that libcurl hands over.
///
/// Interim responses (1xx) are passed over, and so are trailer fields, which come after the head is complete.
struct ResponseHeadReader {
    /// What a line brought.
    enum Progress {
        case more
        case complete(HTTPClientResponse)
        case tooLarge
    }

    private let limits: HTTPClientLimits
    private var bytes = 0
    private var status = 0
    private var headers: [(name: String, value: String)] = []
    /// True from the empty line of the final head on.
    private(set) var isComplete = false

    init(limits: HTTPClientLimits) { self.limits = limits }

    /// Takes one line with its end.
    mutating func take(_ line: UnsafeRawBufferPointer) -> Progress {
        bytes += line.count
        guard line.count <= limits.headerLineBytesMax, bytes <= limits.headBytesMax else { return .tooLarge }
        guard !isComplete else { return .more }
        let text = String(decoding: line.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        if text.isEmpty { return endOfSection() }
        if text.hasPrefix("HTTP/"), headers.isEmpty, status == 0 {
            status = Int(text.drop { $0 != " " }.dropFirst().prefix(3)) ?? 0
        } else if let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) {
            let value = text.utf8[colon...].dropFirst().trimmingBlanks
            headers.append((text[..<colon].lowercased(), String(Substring(value))))
        }
        return .more
    }

    private mutating func endOfSection() -> Progress {
        guard status >= 200 else {
            status = 0
            headers = []
            return .more
        }
        isComplete = true
        return .complete(HTTPClientResponse(status: status, headers: headers))
    }
}
