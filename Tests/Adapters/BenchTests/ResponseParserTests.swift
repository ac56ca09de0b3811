import TestSupport
import Testing

@testable import Bench

@Suite("Reading a response", .tags(.unit))
struct ResponseParserTests {
    /// Feeds the text in pieces of `size` bytes.
    private func parse(_ text: String, by size: Int) -> (parser: ResponseParser, body: String, accepted: Bool) {
        var parser = ResponseParser()
        var body: [UInt8] = []
        let bytes = Array(text.utf8)
        var accepted = true
        for start in stride(from: 0, to: bytes.count, by: size) where accepted {
            let piece = Array(bytes[start..<min(start + size, bytes.count)])
            accepted = parser.consume(piece.span, into: &body)
        }
        return (parser, String(decoding: body, as: UTF8.self), accepted)
    }

    private static let chunked =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "5\r\nhello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n"

    @Test("Chunks are joined wherever the reads cut them", arguments: 1...40)
    func chunks(size: Int) {
        let (parser, body, accepted) = parse(Self.chunked, by: size)
        #expect(accepted && parser.isComplete && parser.keepsAlive && parser.isEventStream)
        #expect(body == "helloabcdefghijklmnopqrstuvwxyz")
    }

    @Test("A Content-Length ends the body", arguments: [1, 7, 1000])
    func sized(size: Int) {
        let text = "HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
        let (parser, body, accepted) = parse(text, by: size)
        #expect(accepted && parser.isComplete && !parser.keepsAlive)
        #expect(parser.status == 202 && body == "body")
    }

    @Test("Without a length the peer's end completes the body")
    func untilClose() {
        var (parser, body, accepted) = parse("HTTP/1.1 200 OK\r\n\r\nbody", by: 5)
        #expect(accepted && !parser.isComplete && body == "body")
        let isComplete = parser.reachEnd()
        #expect(isComplete)
    }

    @Test("The peer's end inside a chunk is no complete response")
    func truncated() {
        var (parser, _, _) = parse(String(Self.chunked.dropLast(20)), by: 1000)
        let isComplete = parser.reachEnd()
        #expect(!isComplete)
    }

    @Test("What is not HTTP/1.1 is refused", arguments: ["SSH-2.0-x\r\n", "HTTP/1.1 abc\r\n"])
    func refused(text: String) {
        #expect(!parse(text, by: 1000).accepted)
    }

    @Test("Bytes after the end of a response are refused")
    func surplus() {
        #expect(!parse("HTTP/1.1 204 No Content\r\n\r\nmore", by: 1000).accepted)
    }
}
