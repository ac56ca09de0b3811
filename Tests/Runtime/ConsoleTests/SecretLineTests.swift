import TestSupport
import Testing

@testable import Console

@Suite("A secret line of input", .tags(.unit))
struct SecretLineTests {
    /// The line that is read, and whether it ended.
    private func read(_ text: String, isTyped: Bool) -> (String, SecretLine.Step) {
        var line = SecretLine()
        for byte in text.utf8 {
            let step = line.take(byte, isTyped: isTyped)
            if step != .more { return (String(decoding: line.bytes, as: UTF8.self), step) }
        }
        return (String(decoding: line.bytes, as: UTF8.self), .more)
    }

    @Test("a pipe's line ends with a line feed, with or without a carriage return, and has everything else as it is")
    func piped() {
        #expect(read("pass word\nmore", isTyped: false) == ("pass word", .end))
        #expect(read("pass\r\n", isTyped: false) == ("pass", .end))
        #expect(read("a\u{3}\u{4}\u{15}\u{7F}\rb\n", isTyped: false) == ("a\u{3}\u{4}\u{15}\u{7F}\rb", .end))
        #expect(read("without an end", isTyped: false) == ("without an end", .more))
    }

    @Test("on a terminal a line can be corrected, begun anew and interrupted")
    func typed() {
        #expect(read("secret\r", isTyped: true) == ("secret", .end))
        #expect(read("sexx\u{7F}\u{8}cret\n", isTyped: true) == ("secret", .end))
        #expect(read("wrong\u{15}right\n", isTyped: true) == ("right", .end))
        #expect(read("ä😀\u{7F}\u{7F}\u{7F}x\n", isTyped: true) == ("x", .end))
        #expect(read("sec\u{3}", isTyped: true) == ("sec", .interrupted))
        #expect(read("\u{4}", isTyped: true) == ("", .end))
        #expect(read("a\u{4}b\n", isTyped: true) == ("a\u{4}b", .end))
    }
}
