import Domain
import TestSupport
import Testing

@Suite("Problems", .tags(.unit))
struct MathProblemTests {
    @Test(
        "Unicode white space around a problem is dropped, inside it is kept",
        arguments: [
            (" 2x + 3 = 7 ", "2x + 3 = 7"), ("\r\n\t1+1\u{0B}\u{0C}", "1+1"), ("\u{A0}\u{2003}x\u{2028}\u{3000}", "x"),
            ("a  \n b", "a  \n b"), ("\u{200B}x\u{200B}", "\u{200B}x\u{200B}"), (" \u{301}e ", "\u{301}e"),
        ],
    )
    func trimming(text: String, expected: String) throws {
        let problem = try MathProblem(text)
        #expect(Array(problem.text.unicodeScalars) == Array(expected.unicodeScalars))
    }

    @Test("nothing but white space is no problem", arguments: ["", " ", "\r\n", "\u{3000}\u{85}\u{2029}"])
    func empty(text: String) {
        #expect(throws: MathProblem.Invalid.empty) { try MathProblem(text) }
    }

    @Test(
        "the limit is 8,000 Unicode scalars after trimming, however they are combined",
        arguments: ["x", "é", "😀", "\u{301}", "👩‍👩‍👧", "\u{10FFFF}", "\r\n1"],
    )
    func limit(unit: String) throws {
        let scalars = unit.unicodeScalars.count
        let fits = String(repeating: unit, count: MathProblem.scalarsMax / scalars)
        let rest = MathProblem.scalarsMax - fits.unicodeScalars.count
        // Begins with a letter, so that no white space of the unit is trimmed.
        let whole = String(String.UnicodeScalarView("1".unicodeScalars + fits.unicodeScalars.dropFirst()))
        let padded = "  \(whole)\(String(repeating: "1", count: rest))\n"
        #expect(try MathProblem(padded).text.unicodeScalars.count == 8000)
        #expect(throws: MathProblem.Invalid.tooLong(8001)) { try MathProblem(padded.dropLast() + "1") }
    }

    @Test("only the three ends of a request are terminal")
    func terminal() {
        #expect(RequestStatus.allCases.filter(\.isTerminal) == [.completed, .failed, .cancelled])
        #expect(AnswerEventName.allCases.filter(\.isTerminal) == [.completed, .failed, .cancelled])
        for name in AnswerEventName.allCases {
            let bytes = Array(name.rawValue.utf8)
            #expect(AnswerEventName(ascii: bytes.span) == name)
        }
        let later = Array("of a later version".utf8)
        #expect(AnswerEventName(ascii: later.span) == nil)
    }
}
