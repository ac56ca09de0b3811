import RedisClient
import TestSupport
import Testing

@Suite("Parsing replies", .tags(.unit))
struct ReplyReaderTests {
    private static let stream =
        "+OK\r\n:-12\r\n$-1\r\n$0\r\n\r\n$6\r\na\r\nb\0c\r\n*0\r\n*-1\r\n"
        + "*3\r\n:1\r\n*2\r\n$1\r\nx\r\n-ERR no\r\n$-1\r\n+END\r\n"
    private static let values: [RedisValue] = [
        .status("OK"), .integer(-12), .null, .bytes([]), .bytes(Array("a\r\nb\0c".utf8)), .array([]), .null,
        .array([
            .integer(1), .array([.bytes([UInt8(ascii: "x")]), .error(RedisServerError(message: "ERR no"))]), .null,
        ]),
        .status("END"),
    ]

    @Test("returns the same replies wherever the bytes are split")
    func splits() {
        let bytes = Array(Self.stream.utf8)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let reader = ReplyReader()
                var values: [RedisValue] = []
                for piece in [bytes[..<first], bytes[first..<second], bytes[second...]] {
                    #expect(feed(reader, Array(piece)) { values.append($0) } == nil)
                }
                #expect(values == Self.values)
            }
        }
    }

    @Test("accepts single bytes, and thousands of replies at once")
    func extremes() {
        let reader = ReplyReader()
        var values: [RedisValue] = []
        for byte in Self.stream.utf8 { #expect(feed(reader, [byte]) { values.append($0) } == nil) }
        #expect(values == Self.values)
        values = []
        let many = Array(String(repeating: Self.stream, count: 5000).utf8)
        #expect(feed(reader, many) { values.append($0) } == nil)
        #expect(values.count == 5000 * Self.values.count)
        #expect(values.suffix(Self.values.count) == Self.values[...])
    }

    @Test("returns a protocol violation", arguments: ["HTTP/1.1 400 Bad Request\r\n", "\u{0}\r\n", "PONG\r\n"])
    func malformed(_ text: String) {
        let failure = feed(ReplyReader(), Array(text.utf8)) { _ in Issue.record("a reply out of \(text)") }
        #expect(failure?.hasPrefix("Protocol error") == true)
    }

    private func feed(_ reader: ReplyReader, _ bytes: [UInt8], _ deliver: (RedisValue) -> Void) -> String? {
        reader.feed(bytes.span) { reply in
            deliver(RedisValue(reply))
            return true
        }
    }
}
