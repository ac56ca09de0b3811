import TestSupport
import Testing
import Text

@Suite("JSON strings", .tags(.unit))
struct JSONTextTests {
    @Test("every control character that JSON forbids is escaped")
    func controls() {
        for code in 0..<0x20 {
            var bytes: [UInt8] = []
            JSONText.escape(String(Unicode.Scalar(UInt8(code))), into: &bytes)
            let text = String(decoding: bytes, as: UTF8.self)
            let digits = String(code, radix: 16)
            let expected =
                switch code {
                case 0x09: "\\t"
                case 0x0A: "\\n"
                case 0x0D: "\\r"
                case _: "\\u00" + (digits.count == 1 ? "0" : "") + digits
                }
            #expect(text == expected)
        }
    }

    @Test("what some clients take for a line end is escaped, and its neighbours are not")
    func lineSeparators() {
        let cases = [
            ("a\u{85}b", #"a\u0085b"#), ("\u{2028}", #"\u2028"#), ("\u{2029}\u{2028}x", #"\u2029\u2028x"#),
            ("\u{84}\u{86}²·", "\u{84}\u{86}²·"), ("\u{2027}\u{202A}∑…“", "\u{2027}\u{202A}∑…“"),
            ("\u{85}", #"\u0085"#),
        ]
        for (text, expected) in cases {
            var bytes: [UInt8] = []
            JSONText.escape(text, into: &bytes)
            #expect(bytes == Array(expected.utf8), "\(expected)")
        }
    }

    @Test(
        "the rest of the text stays as it is",
        arguments: [
            ("", ""), ("plain ∑ é 🙂", "plain ∑ é 🙂"), (#"say "x\y""#, #"say \"x\\y\""#),
            ("\u{7F}\u{80}\u{9F}\u{A0}", "\u{7F}\u{80}\u{9F}\u{A0}"),
            ("€Â", "€Â"),
        ]
    )
    func rest(text: String, expected: String) {
        var bytes: [UInt8] = []
        JSONText.escape(text, into: &bytes)
        #expect(bytes == Array(expected.utf8))
    }

    @Test(
        "all control characters are escaped for a terminal",
        arguments: [
            ("", #""""#), ("a\u{7F}b", #""a\u007fb""#), ("\u{80}\u{9F}\u{A0}", "\"\\u0080\\u009f\u{A0}\""),
            ("\u{1B}[2J\n", #""\u001b[2J\n""#), ("\u{85}\u{2028}é", #""\u0085\u2028é""#),
        ]
    )
    func terminal(text: String, expected: String) {
        var bytes: [UInt8] = []
        #expect(JSONText.append(text, to: &bytes))
        #expect(bytes == Array(expected.utf8))
    }

    @Test(
        "a long text is cut between two scalars",
        arguments: [
            ("abcdefgh", 8, #""abcdefgh""#), ("abcdefghi", 8, #""abcde…""#), ("éééé", 8, #""éééé""#),
            ("ééééé", 8, #""ééé…""#),
            ("a🙂🙂🙂", 8, #""a🙂…""#), ("abcde", 4, #""a…""#), ("🙂🙂", 4, #""🙂…""#),
        ]
    )
    func cut(text: String, bytesMax: Int, expected: String) {
        var bytes: [UInt8] = []
        let isWhole = JSONText.append(text, to: &bytes, bytesMax: bytesMax)
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
        #expect(isWhole == (text.utf8.count <= bytesMax))
    }
}
