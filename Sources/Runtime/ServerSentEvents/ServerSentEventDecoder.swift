internal import Text

/// Decodes server-sent events (WHATWG HTML, section 9.2.6) from pieces that may be split anywhere, also between CR and LF,
/// in the byte-order mark and inside a UTF-8 character; the events do not depend on the split.
///
/// ```
///  bytes ─► lines (CR, LF, CRLF) ─► fields (event, data, id, retry; the rest is ignored) ─► an event at each empty line
/// ```
/// An event without a final empty line is dropped, as the standard requires, unless ``finish(_:)`` is called. The decoder
/// buffers at most one line and the data of one event.
package struct ServerSentEventDecoder: Sendable {
    private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    /// The id that a reconnect sends as `Last-Event-ID`; empty at first and after an empty `id` field.
    ///
    /// As the standard requires, an id takes effect when its event is complete.
    package private(set) var lastEventID: String
    /// The last `retry` field, in milliseconds; nil without one.
    package private(set) var retryMilliseconds: Int?

    private let limits: ServerSentEventLimits
    private static let fields = ["data", "event", "id", "retry"].map { Array($0.utf8) }

    private let isLenient: Bool
    /// True while the data is JSON of several lines without a field name.
    private var isBare = false
    private var line: [UInt8] = []
    private var isFirstLine = true
    private var endedWithCarriageReturn = false
    private var type = ""
    private var data: [UInt8] = []
    private var hasData = false
    private var idBuffer: String
    private var id: String?

    /// Decodes one response; `lastEventID` is the value after the previous response of the same stream.
    ///
    /// With `isLenient` the decoder accepts input that the standard drops: a field `error`, a line that begins with `{` or
    /// `[` (with the following lines, if it does not end with a bracket) and a line of plain text are events of their own;
    /// an event with a type needs no data; names may have spaces around them.
    package init(
        limits: ServerSentEventLimits = ServerSentEventLimits(),
        lastEventID: String = "",
        isLenient: Bool = false
    ) {
        self.limits = limits
        self.isLenient = isLenient
        self.lastEventID = lastEventID
        idBuffer = lastEventID
    }

    /// Decodes the next bytes and calls `onEvent` for each event that they complete.
    package mutating func decode(
        _ bytes: Span<UInt8>,
        _ onEvent: (ServerSentEvent) -> Void
    ) throws(ServerSentEventError) {
        var start = 0
        while start < bytes.count {
            let followsCarriageReturn = endedWithCarriageReturn
            endedWithCarriageReturn = false
            if followsCarriageReturn, bytes[start] == Self.lineFeed {
                start += 1
                continue
            }
            var end = start
            while end < bytes.count, bytes[end] != Self.lineFeed, bytes[end] != Self.carriageReturn { end += 1 }
            try append(bytes.extracting(start..<end))
            guard end < bytes.count else { return }
            endedWithCarriageReturn = bytes[end] == Self.carriageReturn
            start = end + 1
            try endLine(onEvent)
        }
    }

    /// Checks the limit before it appends, so that `line` never exceeds it.
    private mutating func append(_ piece: Span<UInt8>) throws(ServerSentEventError) {
        let allowance = isFirstLine && beginsWithMark(piece) ? Self.mark.count : 0
        guard line.count + piece.count <= limits.lineBytesMax + allowance else { throw .lineTooLong }
        line.append(copying: piece)
    }

    /// Whether the line and the next piece of it begin with the byte-order mark, which is not part of the line.
    private func beginsWithMark(_ piece: Span<UInt8>) -> Bool {
        var start = Array(line.prefix(Self.mark.count))
        start.append(copying: piece.extracting(first: min(Self.mark.count, piece.count)))
        return start.starts(with: Self.mark)
    }

    private mutating func endLine(_ onEvent: (ServerSentEvent) -> Void) throws(ServerSentEventError) {
        defer { line.removeAll(keepingCapacity: true) }
        if isFirstLine {
            isFirstLine = false
            if line.starts(with: Self.mark) { line.removeFirst(Self.mark.count) }
        }
        guard !line.isEmpty else { return dispatch(onEvent) }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        var value = line[colon...].dropFirst()
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        let field = isLenient ? line[..<colon].trimming { $0 == UInt8(ascii: " ") } : line[..<colon]
        if isLenient, try takeNonstandard(field, value, onEvent) { return }
        try take(field: field, value)
    }

    /// Decodes a line that the standard drops; false for a line that the standard defines.
    private mutating func takeNonstandard(
        _ field: ArraySlice<UInt8>,
        _ value: ArraySlice<UInt8>,
        _ onEvent: (ServerSentEvent) -> Void
    ) throws(ServerSentEventError) -> Bool {
        let data = Array("data".utf8)[...]
        if line.first == UInt8(ascii: "{") || line.first == UInt8(ascii: "[") {
            isBare = isBare || !hasData
            try take(field: data, line[...])
            if isBare, line.endsWithBracket { dispatch(onEvent) }
            return true
        }
        if field.isEmpty || Self.fields.contains(where: { field.elementsEqual($0) }) {
            if isBare, !field.isEmpty { dispatch(onEvent) }
            return field.isEmpty
        }
        if field.elementsEqual("error".utf8) {
            onEvent(ServerSentEvent(type: "error", data: String(decoding: value, as: UTF8.self)))
        } else if isBare {
            try take(field: data, line[...])
        } else {
            onEvent(ServerSentEvent(data: String(decoding: line, as: UTF8.self)))
        }
        return true
    }

    /// Ends the last line and the last event of a response that ended regularly but without an empty line.
    ///
    /// The standard drops them. The decoder must not be used afterwards.
    package mutating func finish(_ onEvent: (ServerSentEvent) -> Void) {
        if !line.isEmpty { try? endLine(onEvent) }
        dispatch(onEvent)
    }

    /// Ignores unknown fields; a comment, which begins with a colon, is a field with an empty name.
    private mutating func take(
        field: ArraySlice<UInt8>,
        _ value: ArraySlice<UInt8>
    ) throws(ServerSentEventError) {
        if field.elementsEqual("data".utf8) {
            if hasData { data.append(Self.lineFeed) }
            hasData = true
            guard data.count + value.count <= limits.dataBytesMax else { throw .eventTooLarge }
            data.append(contentsOf: value)
        } else if field.elementsEqual("event".utf8) {
            type = String(decoding: value, as: UTF8.self)
        } else if field.elementsEqual("id".utf8) {
            guard !value.contains(0) else { return }
            idBuffer = String(decoding: value, as: UTF8.self)
            id = idBuffer
        } else if field.elementsEqual("retry".utf8) {
            let isNumber = !value.isEmpty && value.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
            if isNumber, let number = Int(String(decoding: value, as: UTF8.self)) { retryMilliseconds = number }
        }
    }

    private mutating func dispatch(_ onEvent: (ServerSentEvent) -> Void) {
        lastEventID = idBuffer
        defer {
            type = ""
            id = nil
            hasData = false
            isBare = false
            data.removeAll(keepingCapacity: true)
        }
        guard hasData || isLenient && !type.isEmpty else { return }
        let text = String(decoding: data, as: UTF8.self)
        onEvent(ServerSentEvent(type: type.isEmpty ? "message" : type, data: text, id: id))
    }
}

extension [UInt8] {
    /// True if the last byte, without white space and commas, is a closing bracket.
    fileprivate var endsWithBracket: Bool {
        let last = last { $0 > 0x20 && $0 != UInt8(ascii: ",") }
        return last == UInt8(ascii: "}") || last == UInt8(ascii: "]")
    }
}
