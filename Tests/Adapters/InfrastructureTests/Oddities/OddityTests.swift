import Domain
import TestSupport
import Testing

@testable import Infrastructure

@Suite("What providers send oddly", .tags(.unit))
struct OddityTests {
    static let all = [
        Oddity.reasons, Oddity.contents, Oddity.thinking, Oddity.errors, Oddity.strangeErrors, Oddity.pauses,
        Oddity.surroundings, Oddity.harmless, Oddity.refusals,
    ].flatMap(\.self)

    @Test("each is read by its meaning, however it is cut into pieces", arguments: all)
    func oddities(_ oddity: Oddity) {
        for size in [1, 2, 7, 1_000_000] {
            let reading = oddity.reading(inPiecesOf: size)
            #expect(reading.answer.joined() == oddity.answer, "\(size)")
            #expect(reading.reasoning.joined() == oddity.reasoning, "\(size)")
            #expect(Oddity.End(reading.end) == oddity.end, "\(size): \(reading.end)")
        }
    }

    @Test("line ends and keep-alives between the events change nothing", arguments: all)
    func surrounded(_ oddity: Oddity) {
        let body = oddity.body
        let isDocument = body.hasPrefix("{") || body.hasPrefix("[")
        let pings = ["\n\n: c\n\n", "\n\ndata:\n\n", "\n\nevent: ping\ndata: {}\n\n", "\n\ndata: null\n\nretry: 5\n\n"]
        let bodies =
            ["\r\n", "\r"].map { body.replacing("\r", with: "").replacing("\n", with: $0) }
            + pings.map { body.replacing("\n\n", with: $0) }
            + (isDocument ? ["\n \r\n" + body] : pings.map { $0.dropFirst(2) + body })
        for body in bodies {
            var odd = oddity
            odd.body = body
            let reading = odd.reading(inPiecesOf: 1_000_000)
            #expect(reading.answer.joined() == oddity.answer, "\(body)")
            #expect(reading.reasoning.joined() == oddity.reasoning, "\(body)")
            #expect(Oddity.End(reading.end) == oddity.end, "\(body): \(reading.end)")
        }
    }

    @Test("thinking is separated from the answer, wherever the text is cut")
    func cuts() {
        let text = "<think>2x is 4</think>".map(String.init) + [#"\n"#, #"\n"#] + "x = 2".map(String.init)
        for first in 0...text.count {
            for second in first...text.count {
                let parts = [text[..<first], text[first..<second], text[second...]]
                let chunks = parts.map { Oddity.delta("\"\($0.joined())\"") } + [Oddity.stop, Oddity.done]
                let reading = Oddity(name: "", dialect: 0, body: Oddity.events(chunks)).reading(inPiecesOf: 1_000_000)
                #expect(reading.answer.joined() == "x = 2", "\(first) \(second)")
                #expect(reading.reasoning.joined() == "2x is 4", "\(first) \(second)")
            }
        }
    }

    @Test("the readable numbers of a usage are read")
    func usage() {
        let usage =
            #"{"prompt_tokens":"3","completion_tokens":2.0,"completion_tokens_details":{"reasoning_tokens":[]}}"#
        let odd = Oddity.openAI(
            "",
            #"{"usage":\#(usage),"choices":[{"delta":{"content":"x = 2"}}]}"#,
            Oddity.stop,
            Oddity.done
        )
        #expect(odd.reading(inPiecesOf: 100).usage == TokenUsage(inputTokens: 3, outputTokens: 2, isEstimated: false))
    }
}
