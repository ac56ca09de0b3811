import ServerSentEvents
import TestSupport
import Testing

@Suite("Server-sent events", .tags(.unit))
struct DecoderTests {
    private static func decode(_ text: String, cuts: [Int] = []) throws -> (events: [ServerSentEvent], last: String) {
        try decode(Array(text.utf8), cuts: cuts)
    }

    private static func decode(
        _ bytes: [UInt8],
        cuts: [Int] = []
    ) throws -> (events: [ServerSentEvent], last: String) {
        var decoder = ServerSentEventDecoder()
        var events: [ServerSentEvent] = []
        var start = 0
        for end in cuts.sorted() + [bytes.count] {
            try decoder.decode(bytes[start..<end]) { events.append($0) }
            start = end
        }
        return (events, decoder.lastEventID)
    }

    @Test("Fields make an event at the empty line; one space after the colon is dropped, a second is data")
    func fields() throws {
        let (events, last) = try Self.decode("event: token\nid: 1-5\ndata:  x\n\ndata:y\ndata\ndata: z\n\n")
        #expect(
            events == [
                ServerSentEvent(type: "token", data: " x", id: "1-5"),
                ServerSentEvent(type: "message", data: "y\n\nz"),
            ]
        )
        #expect(last == "1-5")
    }

    @Test("Lines may end with LF, CR or CRLF, mixed", arguments: ["\n", "\r", "\r\n"])
    func lineEnds(end: String) throws {
        let text = "data: a\(end)data: b\(end)\(end)data: c\n\n"
        #expect(try Self.decode(text).events.map(\.data) == ["a\nb", "c"])
    }

    @Test("Comments, unknown fields, a missing end and an event without data show nothing")
    func nothing() throws {
        let (events, last) = try Self.decode(": heartbeat\n\nfoo: bar\nevent: x\nid: 7\n\ndata: unfinished\nid: 8\n")
        #expect(events.isEmpty)
        #expect(last == "7")
    }

    @Test("A byte-order mark counts once, at the start")
    func mark() throws {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        #expect(try Self.decode(mark + "data: a\n\n".utf8).events.map(\.data) == ["a"])
        #expect(try Self.decode(mark + mark + "data: a\n\ndata: b\n\n".utf8).events.map(\.data) == ["b"])
    }

    @Test("An empty id clears the last one, an id with NUL is ignored, and ids stay until replaced")
    func ids() throws {
        let (events, last) = try Self.decode("id: 1\ndata: a\n\ndata: b\n\nid: 2\u{0}\ndata: c\n\n")
        #expect(events.map(\.id) == ["1", nil, nil])
        #expect(last == "1")
        #expect(try Self.decode("id: 1\ndata: a\n\nid\ndata: b\n\n").last.isEmpty)
    }

    @Test("retry takes decimal digits only")
    func retry() throws {
        var decoder = ServerSentEventDecoder()
        for (line, expected) in [("retry: x\n", nil), ("retry: 250\n", 250), ("retry: -1\nretry:\nretry: 1e3\n", 250)] {
            try decoder.decode(line.utf8) { _ in Issue.record("no event was sent") }
            #expect(decoder.retryMilliseconds == expected)
        }
    }

    @Test("A line or an event above its limit is refused, at the limit it is not")
    func limits() throws {
        let limits = ServerSentEventLimits(lineBytesMax: 10, dataBytesMax: 8)
        var decoder = ServerSentEventDecoder(limits: limits)
        var count = 0
        try decoder.decode("\u{FEFF}data:12345\n\n".utf8) { _ in count += 1 }
        #expect(count == 1)
        #expect(throws: ServerSentEventError.lineTooLong) { try decoder.decode("data:123456".utf8) { _ in } }
        var other = ServerSentEventDecoder(limits: limits)
        #expect(throws: ServerSentEventError.eventTooLarge) {
            try other.decode("data:1234\ndata:1234\n".utf8) { _ in }
        }
    }

    @Test("However the bytes are cut, the events are the same", arguments: 1...40)
    func splits(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let pieces = [
            "data: caf\u{E9} \u{1F600}\u{1F468}\u{200D}\u{1F469}\n", "event: token\r\n", "id: 1-\(seed)\r", ": c\n",
            "\n", "\r\n",
            "\r", "data\n", "retry: 10\n", "data:\u{FEFF}x\r\n", "id\n", "\n\n", "data: ∑∫\r\r",
        ]
        var text = Bool.random(using: &random) ? "\u{FEFF}" : ""
        for _ in 0..<60 { text += pieces.randomElement(using: &random) ?? "" }
        let bytes = Array(text.utf8)
        let whole = try Self.decode(bytes)
        #expect(!whole.events.isEmpty)
        let everywhere = try Self.decode(bytes, cuts: Array(1..<bytes.count))
        #expect(everywhere == whole, "seed \(seed), byte by byte")
        for _ in 0..<20 {
            let cuts = (0..<Int.random(in: 1...30, using: &random)).map { _ in
                Int.random(in: 0...bytes.count, using: &random)
            }
            #expect(try Self.decode(bytes, cuts: cuts) == whole, "seed \(seed), cuts \(cuts)")
        }
    }

    @Test("Bytes that are no UTF-8 are replaced and break nothing", arguments: 1...20)
    func noise(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let alphabet = Array("data: id:event\n\r\n".utf8) + [0, 0xC3, 0xA9, 0xFF, 0xF0, 0x9F, 0x0A, 0x0A]
        let bytes = (0..<500).map { _ in alphabet.randomElement(using: &random) ?? 0 }
        let whole = try Self.decode(bytes)
        let everywhere = try Self.decode(bytes, cuts: Array(1..<bytes.count))
        #expect(everywhere == whole, "seed \(seed)")
    }

    @Test("a lenient decoder keeps what servers send against the standard; a strict one drops it")
    func lenient() throws {
        let text = "error: {1}\n{2}\n[3]\n data : {4}\n{5}\n\nevent: error\n\nBad Gateway: 7\n: c\n{\n8: 9\n}\ndata: 6"
        func read(isLenient: Bool) throws -> [String] {
            var decoder = ServerSentEventDecoder(isLenient: isLenient)
            var events: [String] = []
            try decoder.decode(Array(text.utf8)) { events.append("\($0.type) \($0.data)") }
            decoder.finish { events.append("\($0.type) \($0.data)") }
            return events
        }
        #expect(
            try read(isLenient: true)
                == [
                    "error {1}", "message {2}", "message [3]", "message {4}\n{5}", "error ", "message Bad Gateway: 7",
                    "message {\n8: 9\n}", "message 6",
                ]
        )
        #expect(try read(isLenient: false) == ["message 6"])
    }
}

/// SplitMix64: small, seeded, the same everywhere.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
