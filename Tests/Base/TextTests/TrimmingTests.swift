import TestSupport
import Testing

@testable import Text

@Suite("Trimming", .tags(.unit))
struct TrimmingTests {
    @Test(
        "spaces and tabs go from both ends, nothing else does",
        arguments: [
            ("", ""), (" \t", ""), ("a", "a"), (" \ta b\t ", "a b"), ("\na\r", "\na\r"), ("\u{A0}a", "\u{A0}a"),
        ]
    )
    func blanks(text: String, trimmed: String) {
        #expect(text.trimmingBlanks == trimmed)
        #expect(text.utf8.trimmingBlanks.elementsEqual(trimmed.utf8))
        #expect(Array(text.utf8)[...].trimmingBlanks.elementsEqual(trimmed.utf8))
    }
}
