import Domain
import TestSupport
import Testing

@Suite("The stored text of an event", .tags(.unit))
struct EscapedTextTests {
    private func text(_ name: AnswerEventName, _ data: String) -> String? {
        AnswerEvent(id: nil, name: name, data: Array(data.utf8)).escapedText.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(
        "is the inside of the JSON string, as it is escaped",
        arguments: [
            (#"{"text":"x = 2"}"#, "x = 2"), (#"{"text":""}"#, ""), (#"{"text":"\"}"}"#, #"\"}"#),
            (#"{"text":"a\\\n\u2028ü"}"#, #"a\\\n\u2028ü"#),
        ],
        [AnswerEventName.token, .reasoning],
    )
    func texts(example: (data: String, text: String), name: AnswerEventName) {
        #expect(text(name, example.data) == example.text)
    }

    @Test(
        "is nil for data of another form",
        arguments: ["", "{}", #"{"text":"#, #"{"text":"}"#, #"{"text": "x"}"#, #"{"text":1}"#, #"{"Text":"x"}"#],
    )
    func others(data: String) { #expect(text(.token, data) == nil) }

    @Test("is nil for events that have none", arguments: AnswerEventName.allCases)
    func names(name: AnswerEventName) {
        #expect((text(name, #"{"text":"x"}"#) != nil) == (name == .token || name == .reasoning))
    }
}
