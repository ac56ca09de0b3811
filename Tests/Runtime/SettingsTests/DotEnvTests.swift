import TestSupport
import Testing

@testable import Settings

@Suite("The .env file", .tags(.unit))
struct DotEnvTests {
    @Test(
        "a line gives a name its value",
        arguments: [
            ("A=1", "1"), ("export A=1", "1"), ("  export  \tA = 1 ", "1"), ("A=", ""),
            ("A=a b  # comment", "a b"), ("A=a#b", "a#b"), ("A=# nothing", ""), ("A='a # \\n\"b'", "a # \\n\"b"),
            (#"A="a\n\t\"\\\$x # b"  # comment"#, "a\n\t\"\\$x # b"), ("A=x=y", "x=y"), ("A=1\r", "1"),
            ("\u{FEFF}A=1", "1"),
            ("A=it's", "it's"), ("A=ü\u{301}", "ü\u{301}"),
        ]
    )
    func value(line: String, value: String) {
        let file = DotEnv(line)
        #expect(file.mistakes == [])
        #expect(file.values == ["A": value])
    }

    @Test("empty lines and comments say nothing")
    func empty() {
        let file = DotEnv("\n  \n# A=1\r\n\t# B=2\n")
        #expect(file.values.isEmpty)
        #expect(file.mistakes.isEmpty)
    }

    @Test(
        "a bad line is named by its number, without its value",
        arguments: [
            "secret", "=secret", "1A=secret", "A-B=secret", "A B=secret", "A='secret", "A=\"secret", "A=\"secret\\",
            "A=\"secret\\x\"", "A='a' secret", "A=\"a\"secret", "export",
        ]
    )
    func bad(line: String) throws {
        let file = DotEnv("FIRST=1\n\(line)\nLAST=2")
        #expect(file.values == ["FIRST": "1", "LAST": "2"])
        let mistake = try #require(file.mistakes.first)
        #expect(file.mistakes.count == 1)
        #expect(mistake.description.hasPrefix(".env line 2: "))
        #expect(!mistake.description.contains("secret"))
    }

    @Test("a repeated name is a mistake that names the first line")
    func twice() {
        let file = DotEnv("A=1\nB=2\nA=3")
        #expect(file.mistakes == [.unreadableLine(number: 3, reason: "A is already set in line 1")])
    }
}
