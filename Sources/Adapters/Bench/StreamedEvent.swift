internal import Shared

/// One server-sent event, as far as a measurement looks at it.
struct StreamedEvent: Equatable {
    var id: EventID?
    var name = ""
    var data: ArraySlice<UInt8> = []

    /// Takes every whole event off the front of `buffer`; what is left is the beginning of the next.
    static func takeAll(from buffer: inout [UInt8], _ body: (StreamedEvent) -> Void) {
        let lineFeed = UInt8(ascii: "\n")
        var start = 0
        var lineStart = 0
        var event = StreamedEvent()
        var at = 0
        while let end = buffer[at...].firstIndex(of: lineFeed) {
            if end == lineStart {
                if !event.name.isEmpty { body(event) }
                event = StreamedEvent()
                start = end + 1
            } else {
                event.readLine(buffer[lineStart..<end])
            }
            lineStart = end + 1
            at = lineStart
        }
        event = StreamedEvent()
        buffer.removeFirst(start)
    }

    private mutating func readLine(_ line: ArraySlice<UInt8>) {
        if line.starts(with: "data: ".utf8) {
            data = line.dropFirst(6)
        } else if line.starts(with: "id: ".utf8) {
            let text = line.dropFirst(4)
            id = EventID(ascii: text.span)
        } else if line.starts(with: "event: ".utf8) {
            name = String(decoding: line.dropFirst(7), as: UTF8.self)
        }
    }

    /// The timestamps in a token event's `{"text":"123 456 "}`: every run of digits, in order.
    func forEachTimestamp(_ body: (Int64) -> Void) {
        var value: Int64?
        for byte in data {
            if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
                value = (value ?? 0) &* 10 &+ Int64(byte - UInt8(ascii: "0"))
            } else if let timestamp = value {
                body(timestamp)
                value = nil
            }
        }
    }
}
