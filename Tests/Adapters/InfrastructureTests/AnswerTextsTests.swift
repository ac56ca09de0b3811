import TestSupport
import Testing

@testable import Infrastructure

@Suite("The text of an answer on its way to the sink", .tags(.unit))
struct AnswerTextsTests {
    private func chunk(_ answer: String) -> ProviderChunk {
        var chunk = ProviderChunk()
        chunk.answer = answer
        return chunk
    }

    @Test(
        "white space without end is too long an answer, wherever it stands",
        arguments: ["", "<think>", "<think>2</think>"]
    )
    func endlessWhiteSpace(beginning: String) {
        let notes = Notes()
        var texts = AnswerTexts(into: notes)
        texts.take(chunk(beginning))
        let piece = chunk(String(repeating: " \n\t\r", count: 16 << 10))
        var count = 0
        while !texts.isTooLong, count < 20 {
            texts.take(piece)
            count += 1
        }
        #expect(count == 16 || count == 17)
        #expect(!texts.hasAnswer && notes.answer.isEmpty)
    }

    @Test("beyond a kibibyte of white space a tag is text; up to it, thinking", arguments: [1, 8, 1024, 1025, 5000])
    func whiteSpaceBeforeThinking(count: Int) {
        let space = String(repeating: " ", count: count)
        for size in [1, 7, 10_000] {
            let notes = Notes()
            var texts = AnswerTexts(into: notes)
            var rest = "\(space)<think>2x is 4</think>x = 2"[...]
            while !rest.isEmpty {
                texts.take(chunk(String(rest.prefix(size))))
                rest = rest.dropFirst(size)
            }
            texts.finish()
            let isText = count > 1024
            #expect(notes.reasoning.joined() == (isText ? "" : "2x is 4"))
            #expect(notes.answer.joined() == (isText ? "\(space)<think>2x is 4</think>x = 2" : "x = 2"))
        }
    }

    @Test("white space before an answer is kept, and what may be a tag at its end")
    func whiteSpaceBeforeAnswer() {
        for parts in [[" \n", "x"], [" \n<", "x"], [" ", "\n", "<thi"]] {
            let notes = Notes()
            var texts = AnswerTexts(into: notes)
            for part in parts { texts.take(chunk(part)) }
            texts.finish()
            #expect(notes.answer.joined() == parts.joined() && notes.reasoning.isEmpty)
        }
    }
}
