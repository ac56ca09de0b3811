import Domain
import FoundationEssentials
import Shared
import TestSupport
import Testing
import Text

@testable import API

@Suite("Encoding events", .tags(.unit))
struct EventEncoderTests {
    private func event(_ id: String?, _ name: AnswerEventName, _ data: String) -> AnswerEvent {
        AnswerEvent(id: id.flatMap { EventID($0) }, name: name, data: Array(data.utf8))
    }

    private func text(_ body: (inout [UInt8]) -> Void) -> String {
        var output: [UInt8] = []
        body(&output)
        return String(decoding: output, as: UTF8.self)
    }

    @Test("server-sent events: a transcript")
    func transcript() {
        let encoder = SSEEncoder()
        let output = text { output in
            encoder.begin(into: &output)
            encoder.encode(event("0-1", .queued, #"{"position":1}"#), into: &output)
            encoder.encode(event(nil, .queued, #"{"position":2}"#), into: &output)
            encoder.heartbeat(into: &output)
            encoder.encode(event("1-0", .started, #"{"attempt":1}"#), into: &output)
            encoder.encode(event("1-1234567890", .token, #"{"text":"x"}"#), into: &output)
            encoder.encode(event(nil, .reset, #"{"reason":"history_lost"}"#), into: &output)
            encoder.encode(event("1-2", .completed, "{}"), into: &output)
            encoder.end(.terminal, into: &output)
        }
        #expect(
            output == """
                retry: 2000
                id: 0-1
                event: queued
                data: {"position":1}

                event: queued
                data: {"position":2}

                : heartbeat
                id: 1-0
                event: started
                data: {"attempt":1}

                id: 1-1234567890
                event: token
                data: {"text":"x"}

                event: reset
                data: {"reason":"history_lost"}

                id: 1-2
                event: completed
                data: {}


                """
        )
    }

    @Test("server-sent events: only an interruption ends with a hint when to reconnect")
    func ends() {
        let encoder = SSEEncoder()
        #expect(text { encoder.end(.terminal, into: &$0) } == "")
        #expect(text { encoder.end(.gone, into: &$0) } == "")
        #expect(text { encoder.end(.interrupted(retryMilliseconds: 730), into: &$0) } == "retry: 730\n")
    }

    @Test("server-sent events: a frame adds no more than its bound", arguments: AnswerEventName.allCases)
    func bound(name: AnswerEventName) {
        let id = "9007199254740991-9007199254740991"
        let frame = text { SSEEncoder().encode(event(id, name, "{}"), into: &$0) }
        #expect(frame.utf8.count - 2 <= SSEEncoder.frameBytesMax)
    }

    private struct Chunk: Decodable {
        struct Choice: Decodable {
            struct Delta: Decodable { let content: String? }
            let delta: Delta
        }
        let choices: [Choice]
    }

    @Test("another dialect's frames are spliced from what is stored, without parsing it")
    func splicing() throws {
        let texts = ["x = ", "\"quoted\" \\ \n\r\t", "\u{0}\u{1F}", "∑ 😀 \u{2028}\u{85}", ""]
        let encoder = ChunkEncoder()
        let output = text { output in
            encoder.begin(into: &output)
            for (index, text) in texts.enumerated() {
                var data = AnswerEvent.textPrefix
                JSONText.escape(text, into: &data)
                data += AnswerEvent.textSuffix
                let id = EventID(attempt: 1, sequence: UInt64(index) + 1)
                encoder.encode(AnswerEvent(id: id, name: .token, data: data), into: &output)
            }
            encoder.encode(event("1-9", .completed, "{}"), into: &output)
            encoder.end(.terminal, into: &output)
        }
        let frames = output.split(separator: "\n\n").map { $0.dropFirst("data: ".count) }
        #expect(frames.last == "[DONE]")
        let chunks = try frames.dropLast().map { try JSONDecoder().decode(Chunk.self, from: Data($0.utf8)) }
        #expect(chunks.compactMap { $0.choices.first?.delta.content } == texts)
    }
}

/// Chunks as OpenAI's Chat Completions stream them.
private struct ChunkEncoder: EventEncoder {
    static let frameBytesMax = 256
    private static let prefix = Array(#"data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"#.utf8)
    private static let suffix = Array("},\"finish_reason\":null}]}\n\n".utf8)

    func begin(into output: inout [UInt8]) {}

    func encode(_ event: AnswerEvent, into output: inout [UInt8]) {
        output += Self.prefix
        if let text = event.escapedText {
            output += Array(#""content":""#.utf8)
            output += text
            output.append(UInt8(ascii: "\""))
        }
        output += Self.suffix
    }

    func heartbeat(into output: inout [UInt8]) {}

    func end(_ closure: StreamClosure, into output: inout [UInt8]) { output += Array("data: [DONE]\n\n".utf8) }
}
