import TestSupport
import Testing

@testable import Text

@Suite("Percent-encoding", .tags(.unit))
struct PercentEncodingTests {
    @Test("a text is decoded once", arguments: [("", ""), ("a+b", "a+b"), ("%41%c3%A9%25", "Aé%"), ("%2541", "%41")])
    func text(encoded: String, decoded: String) {
        #expect(PercentEncoding.decode(encoded) == decoded)
    }

    @Test("a malformed encoding and what is not UTF-8 is nil", arguments: ["%", "%4", "%4g", "%+1", "%ff", "%C3"])
    func malformed(encoded: String) {
        #expect(PercentEncoding.decode(encoded) == nil)
    }

    @Test("bytes keep what is not UTF-8, and a plus becomes a space where asked")
    func bytes() {
        let encoded = Array("x+%ff%00".utf8)
        #expect(PercentEncoding.decode(encoded[1...], plusIsSpace: true) == [0x20, 0xFF, 0])
        #expect(PercentEncoding.decode(encoded[1...]) == [0x2B, 0xFF, 0])
    }
}
