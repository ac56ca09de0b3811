import Console
import TestSupport
import Testing

@Suite("Command line", .tags(.unit))
struct ArgumentParsingTests {
    private let ask = CommandSpecification(
        "ask",
        summary: "asks",
        operands: ["PROBLEM"],
        options: [CommandOption("url", value: "URL", "where"), CommandOption(flag: "json", "how")],
        operandsMayBeginWithDash: true,
    )
    private let config = CommandSpecification(
        "config",
        summary: "prints",
        options: [CommandOption("role", value: "ROLE", "which")],
    )

    @Test("options may precede, separate and follow operands, with a space or an equals sign")
    func options() throws {
        for words in [
            ["--url", "u", "2x", "--json"], ["2x", "--json", "--url=u"], ["--json", "--url=u", "--", "2x"],
        ] {
            let parsed = try ask.parse(words)
            #expect(parsed.operands == ["2x"])
            #expect(parsed["url"] == "u")
            #expect(parsed.has("json"))
        }
        #expect(try ask.parse(["x", "--url=a=b"])["url"] == "a=b")
        #expect(try ask.parse(["x"])["url"] == nil)
        #expect(try ask.parse(["x", "--url="])["url"]?.isEmpty == true)
    }

    @Test("A leading dash is an operand where the command says so, a lone dash everywhere, anything after --")
    func dashes() throws {
        #expect(try ask.parse(["-2x = 4"]).operands == ["-2x = 4"])
        #expect(try ask.parse(["-"]).operands == ["-"])
        #expect(try ask.parse(["--", "--url"]).operands == ["--url"])
        #expect(throws: UsageError.unknownOption("-r", suggestion: nil)) { try config.parse(["-r"]) }
    }

    @Test("Each kind of wrong line has its own error")
    func mistakes() throws {
        let cases: [(CommandSpecification, [String], UsageError)] = [
            (ask, [], .missingOperand("PROBLEM")),
            (ask, ["a", "b"], .unexpectedOperand("b")),
            (ask, ["a", "--url"], .missingValue(option: "--url", value: "URL")),
            (ask, ["a", "--json=1"], .unexpectedValue(option: "--json")),
            (ask, ["a", "--json", "--json"], .repeatedOption("--json")),
            (ask, ["a", "--jsn"], .unknownOption("--jsn", suggestion: "--json")),
            (ask, ["a", "--hepl"], .unknownOption("--hepl", suggestion: "--help")),
            (ask, ["a", "--something"], .unknownOption("--something", suggestion: nil)),
            (config, ["x"], .unexpectedOperand("x")),
        ]
        for (specification, words, expected) in cases {
            #expect(throws: expected, "\(words)") { try specification.parse(words) }
            #expect(!expected.description.isEmpty)
        }
    }

    @Test("Help and version win over mistakes, but not behind --")
    func help() throws {
        #expect(try ask.parse(["--nonsense", "--help"]).wantsHelp)
        #expect(try config.parse(["x", "-h"]).wantsHelp)
        #expect(try config.parse(["--version"]).wantsVersion)
        #expect(try ask.parse(["--", "--help"]).operands == ["--help"])
        let text = ask.help(program: "lemma")
        #expect(text.hasPrefix("usage: lemma ask [options] PROBLEM\n"))
        for word in ["--url URL", "--json", "--help", "--version"] { #expect(text.contains("  \(word)")) }
    }

    @Test("The near name is found, a far one is not")
    func suggestions() {
        let names = ["ask", "api", "config", "worker", "healthcheck"]
        #expect(nearest(to: "confg", in: names) == "config")
        #expect(nearest(to: "workers", in: names) == "worker")
        #expect(nearest(to: "helthchek", in: names) == "healthcheck")
        #expect(nearest(to: "zzzz", in: names) == nil)
        #expect(nearest(to: "x", in: []) == nil)
    }

    @Test("What could command a terminal is made visible, everything else stays")
    func terminal() {
        #expect(printable("a\u{1B}[2Jb\u{9B}c\r\u{7F}\u{202E}") == "a?[2Jb?c???")
        #expect(printable("x²\n\t∑ 👩‍👧") == "x²\n\t∑ 👩‍👧")
    }
}
