import Application
import Domain
import Testing

@testable import HTTPClient
@testable import Infrastructure

/// One odd answer and what it is read as: the rows of the table in `docs/providers.md`.
struct Oddity: Sendable, CustomTestStringConvertible {
    /// How an answer ends, without its text.
    enum End: Equatable {
        case whole(FinishReason)
        /// A retry or another provider may succeed.
        case failed
        case refused
        case rejected
        case busy
    }

    var name: String
    var dialect: Int
    var body: String
    var type = "text/event-stream"
    var status = 200
    var fields: [(name: String, value: String)] = []
    /// The connection broke at the end of the body.
    var isTorn = false
    var answer = "x = 2"
    var reasoning = ""
    var end = End.whole(.stop)

    var testDescription: String { "\(["openai", "gemini"][dialect]): \(name)" }

    /// Reads it in pieces of `size` bytes.
    func reading(inPiecesOf size: Int) -> Reading {
        let bytes = Array(body.utf8)
        let pieces = stride(from: 0, to: bytes.count, by: size).map { bytes[$0..<min($0 + size, bytes.count)] }
        let head = HTTPClientResponse(status: status, headers: [("content-type", type)] + fields)
        return Reading(pieces, head, spokenDialects[dialect], isTorn ? .closed : nil)
    }
}

extension Oddity.End {
    init(_ end: Result<FinishReason, ProviderFailure>) {
        switch end {
        case .success(let reason): self = .whole(reason)
        case .failure(.rejected): self = .rejected
        case .failure(.refused): self = .refused
        case .failure(.busy): self = .busy
        case .failure: self = .failed
        }
    }
}

extension Oddity {
    /// A stream of these data, each event ended by an empty line.
    static func events(_ data: [String]) -> String { data.map { "data: \($0)\n\n" }.joined() }

    /// An OpenAI-style stream.
    static func openAI(
        _ name: String,
        _ data: String...,
        answer: String = "x = 2",
        reasoning: String = "",
        end: End = .whole(.stop)
    ) -> Oddity {
        Oddity(name: name, dialect: 0, body: events(data), answer: answer, reasoning: reasoning, end: end)
    }

    static func gemini(
        _ name: String,
        _ data: String...,
        answer: String = "x = 2",
        reasoning: String = "",
        end: End = .whole(.stop)
    ) -> Oddity {
        Oddity(name: name, dialect: 1, body: events(data), answer: answer, reasoning: reasoning, end: end)
    }

    /// A delta with `content` as JSON, and a finish reason as JSON.
    static func delta(_ content: String, _ reason: String = "null") -> String {
        #"{"choices":[{"index":0,"delta":{"content":\#(content)},"finish_reason":\#(reason)}]}"#
    }
    static func part(_ text: String, _ more: String = "") -> String {
        #"{"candidates":[{"content":{"parts":[{"text":\#(text)}]}\#(more)}]}"#
    }
    static let text = delta(#""x = 2""#)
    static let half = delta(#""x = ""#)
    static let stop = delta(#""""#, #""stop""#)
    static let done = "[DONE]"
    static let stopped = #","finishReason":"STOP""#
    static let whole = part(#""x = 2""#, stopped)

    static let digits = String(repeating: "9", count: 400)
    static func hugeCounts(_ number: String) -> String {
        #"{"usage":{"prompt_tokens":\#(number),"completion_tokens":\#(number)},"choices":[{"delta":{}}]}"#
    }
}
