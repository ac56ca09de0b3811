internal import Text

/// Assembles the head of a response from the lines that libcurl delivers.
///
/// Interim responses (1xx) are skipped, as are trailer fields, which follow the complete head.
struct ResponseHeadReader {
    /// The state after a line.
    enum Progress {
        case more
        case complete(HTTPClientResponse)
        case tooLarge
    }

    private let limits: HTTPClientLimits
    private var bytes = 0
    private var status = 0
    private var headers: [(name: String, value: String)] = []
    /// True after the empty line of the final head.
    private(set) var isComplete = false

    init(limits: HTTPClientLimits) { self.limits = limits }

    /// Processes one line with its end.
    mutating func take(_ line: Span<UInt8>) -> Progress {
        bytes += line.count
        guard line.count <= limits.headerLineBytesMax, bytes <= limits.headBytesMax else { return .tooLarge }
        guard !isComplete else { return .more }
        let end = line.firstIndex(of: UInt8(ascii: "\r")) ?? line.firstIndex(of: UInt8(ascii: "\n")) ?? line.count
        let text = String(repairing: line.extracting(first: end))
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
