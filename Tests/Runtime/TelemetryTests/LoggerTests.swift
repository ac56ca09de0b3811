import FoundationEssentials
import TestSupport
import Testing

@testable import Telemetry

@Suite("The logger", .tags(.unit))
struct LoggerTests {
    private struct Failure: Error, CustomStringConvertible { let description = "it broke" }

    @Test("a line is a JSON object with the standard members, then the fields")
    func json() throws {
        let pipe = LogPipe()
        let logger = Logger(output: pipe.output())
        logger.warning(
            "job handed over",
            [
                "correlation_id": "abc", "attempt": 2, "share": 0.5, "done": true, "error": .error(Failure()),
                "took_ms": .milliseconds(.microseconds(1_500)), "odd": .double(.nan),
            ]
        )
        let line = try #require(pipe.lines().first)
        let pattern = /\{"time":"(\d{4})-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",(.*)\}/
        let match = try #require(try pattern.wholeMatch(in: line))
        #expect(
            match.2 == """
                "level":"warning","message":"job handed over","service":"lemma-test","version":"1.2.3",\
                "correlation_id":"abc","attempt":2,"share":0.5,"done":true,"error":"it broke","took_ms":1.5,"odd":"nan"
                """
        )
    }

    @Test("every string survives the way through JSON")
    func escaping() throws {
        struct Line: Decodable { let text: String }
        let pipe = LogPipe()
        let logger = Logger(output: pipe.output())
        let every = String(String.UnicodeScalarView((0...0x1FF).compactMap(Unicode.Scalar.init)))
        let invalid = String(decoding: [0x61, 0xFF, 0xC3, 0x62], as: UTF8.self)
        let texts = [every, "\u{2028}\u{1F600}e\u{301}", invalid, "", "\r\n", #"a"b\c"#]
        for text in texts { logger.info("text", ["text": .string(text)]) }
        let lines = pipe.lines()
        #expect(lines.count == texts.count)
        for (line, text) in zip(lines, texts) {
            let read = try JSONDecoder().decode(Line.self, from: Data(line.utf8)).text
            #expect(Array(read.unicodeScalars) == Array(text.unicodeScalars))
        }
    }

    @Test("no line of either form has a character that moves a terminal's cursor", arguments: LogFormat.allCases)
    func controls(format: LogFormat) {
        let pipe = LogPipe()
        let every = String(String.UnicodeScalarView((0...0xFF).compactMap(Unicode.Scalar.init)))
        Logger(output: pipe.output(format: format)).info("text", ["text": .string(every), "ÿ": 1])
        let text = pipe.text()
        #expect(text.hasSuffix("\n"))
        #expect(!text.unicodeScalars.dropLast().contains { $0.properties.generalCategory == .control })
    }

    @Test("a long value is cut between characters and marked as cut")
    func longValue() throws {
        struct Line: Decodable {
            let text: String
            let truncated: Bool?
        }
        let pipe = LogPipe()
        let logger = Logger(output: pipe.output())
        for text in [String(repeating: "a", count: 1024), String(repeating: "é", count: 600)] {
            logger.info("text", ["text": .string(text)])
        }
        let lines = try pipe.lines().map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        #expect(lines.map(\.truncated) == [nil, true])
        #expect(lines[0].text.count == 1024)
        #expect(lines[1].text == String(repeating: "é", count: 511) + "…")
    }

    @Test("fields that pass the longest line are left out, in both forms", arguments: LogFormat.allCases)
    func longLine(format: LogFormat) throws {
        let pipe = LogPipe()
        var fields = LogFields()
        for index in 0..<20 { fields["field_\(index)"] = .string(String(repeating: "\u{1}", count: 300)) }
        fields["last"] = 1
        Logger(output: pipe.output(format: format)).info("much", fields)
        let line = try #require(pipe.lines().first)
        #expect(line.utf8.count < LogOutput.lineBytesMax)
        #expect(line.hasSuffix(format == .json ? "\"last\":1,\"truncated\":true}" : " …"))
    }

    @Test("a line below the level is not written and its fields are not evaluated")
    func level() {
        let pipe = LogPipe()
        let output = pipe.output(level: .warning)
        let logger = Logger(output: output)
        var evaluated = 0
        func fields() -> LogFields {
            evaluated += 1
            return [:]
        }
        logger.info("quiet", fields())
        #expect(evaluated == 0 && !output.isEnabled(.info) && output.isEnabled(.error))
        output.setLevel(.trace)
        logger.trace("loud", fields())
        output.setLevel(nil)
        logger.error("off", fields())
        #expect(evaluated == 1)
        #expect(pipe.lines().count == 1)
        #expect(output.droppedLines == 0)
        Logger.disabled.error("nowhere")
        #expect(Logger.disabled.output.droppedLines == 0)
    }

    @Test("a logger with fields adds them to each line, and the line's own win")
    func context() throws {
        let pipe = LogPipe()
        let logger = Logger(output: pipe.output()).with(["a": 1, "b": 1]).with(["b": 2, "c": 2])
        logger.info("x", ["c": 3, "d": 3])
        #expect(try #require(pipe.lines().first).hasSuffix(#","a":1,"b":2,"c":3,"d":3}"#))
    }

    @Test("a line for a terminal is one line and cannot move the cursor")
    func terminal() throws {
        let pipe = LogPipe()
        Logger(output: pipe.output(format: .text)).info(
            "asked",
            [
                "plain": "a/b", "blank": "a b", "empty": "", "evil": "\u{1B}[2J\nfake\u{9B}", "quoted": #"say "x\y""#,
                "n": 1,
            ]
        )
        let line = try #require(pipe.lines().first)
        let rest =
            #"INFO    asked plain=a/b blank="a b" empty="" evil="\u{1B}[2J\nfake\u{009B}" quoted="say \"x\\y\"" n=1"#
        #expect(line.drop { $0 != " " }.dropFirst() == rest)
        #expect(line.contains(#/^\d\d:\d\d:\d\d\.\d{3} INFO/#))
    }
}
