internal import Text

/// Reads one HTTP/1.1 response as its bytes arrive (RFC 9112), no more than a load generator needs of it.
///
/// ```
///  head ─► sized ─────────────────────────► complete
///    │  ─► untilClose ──(peer's end)───────►
///    └──► chunkSize ─► chunkData ─► chunkEnd ─► chunkSize … ─► trailer ─►
/// ```
struct ResponseParser {
    private enum State: Equatable {
        case head
        case sized(Int)
        case untilClose
        case chunkSize
        case chunkData(Int)
        case chunkEnd
        case trailer
        case complete
    }

    private static let headBytesMax = 16_384
    private static let lineFeed = UInt8(ascii: "\n")

    /// 0 until the head has been read.
    private(set) var status = 0
    /// Whether another request may follow on the same connection.
    private(set) var keepsAlive = true
    private(set) var isEventStream = false

    private var state = State.head
    private var line: [UInt8] = []
    private var isFirstLine = true
    private var contentLength: Int?
    private var isChunked = false

    var isComplete: Bool { state == .complete }

    /// Parses the next bytes and appends the body's part of them to `body`.
    ///
    /// False when the bytes are not a valid response.
    mutating func consume(_ bytes: Span<UInt8>, into body: inout [UInt8]) -> Bool {
        var at = 0
        while at < bytes.count {
            switch state {
            case .sized(let left):
                let part = min(left, bytes.count - at)
                body.append(copying: bytes.extracting(at..<at + part))
                at += part
                state = part == left ? .complete : .sized(left - part)
            case .chunkData(let left):
                let part = min(left, bytes.count - at)
                body.append(copying: bytes.extracting(at..<at + part))
                at += part
                state = part == left ? .chunkEnd : .chunkData(left - part)
            case .untilClose:
                body.append(copying: bytes.extracting(at...))
                at = bytes.count
            case .head, .chunkSize, .chunkEnd, .trailer:
                let byte = bytes[at]
                at += 1
                if byte != Self.lineFeed {
                    line.append(byte)
                    if line.count > Self.headBytesMax { return false }
                } else if !endLine() {
                    return false
                }
            case .complete:
                return false
            }
        }
        return true
    }

    /// The peer has sent its end; true when that completes the response.
    mutating func reachEnd() -> Bool {
        if state == .untilClose { state = .complete }
        return isComplete
    }

    private mutating func endLine() -> Bool {
        defer { line.removeAll(keepingCapacity: true) }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        switch state {
        case .head:
            if isFirstLine { return readStatusLine() }
            if line.isEmpty { endHead() } else { readField() }
        case .chunkSize:
            guard let size = Int(String(decoding: line, as: UTF8.self), radix: 16) else { return false }
            state = size == 0 ? .trailer : .chunkData(size)
        case .chunkEnd: state = .chunkSize
        case .trailer: if line.isEmpty { state = .complete }
        case .sized, .untilClose, .chunkData, .complete: return false
        }
        return true
    }

    private mutating func readStatusLine() -> Bool {
        isFirstLine = false
        let words = String(decoding: line, as: UTF8.self).split(separator: " ")
        guard words.count >= 2, words[0] == "HTTP/1.1", let code = Int(words[1]), (200...599).contains(code) else {
            return false
        }
        status = code
        return true
    }

    private mutating func readField() {
        let text = String(decoding: line, as: UTF8.self).lowercased()
        guard let colon = text.firstIndex(of: ":") else { return }
        let value = text[text.index(after: colon)...].drop { $0 == " " }
        switch text[..<colon] {
        case "content-length": contentLength = Int(value)
        case "transfer-encoding": isChunked = value.hasSuffix("chunked")
        case "connection": keepsAlive = value != "close"
        case "content-type": isEventStream = value.hasPrefix("text/event-stream")
        case _: break
        }
    }

    private mutating func endHead() {
        if isChunked {
            state = .chunkSize
        } else if status == 204 || status == 304 || contentLength == 0 {
            state = .complete
        } else if let contentLength {
            state = .sized(contentLength)
        } else {
            keepsAlive = false
            state = .untilClose
        }
    }
}
