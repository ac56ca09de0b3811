import Application
import Domain
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("The data of events", .tags(.integration))
struct EventDataTests {
    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("a template's holes are filled in any order and as often as they occur, and nothing else changes")
    func template() {
        let template = EventTemplate(Array("{\"a\":\u{2},\"b\":\"\u{1}\",\"c\":\u{2}}".utf8))
        #expect(text(template.filled("x", "12")) == #"{"a":12,"b":"x","c":12}"#)
        #expect(text(EventTemplate(Array(#"{"%1":"\u0001"}"#.utf8)).filled()) == #"{"%1":"\u0001"}"#)
    }

    @Test("the queue position is the last number of queued")
    func position() {
        let data = #"{"correlationId":"1","position":12}"#
        #expect(EventData.position(in: Array(data.utf8)) == 12)
        for other in ["", "{}", #"{"position":12"#, #"{"position":"x"}"#] {
            #expect(EventData.position(in: Array(other.utf8)) == nil)
        }
    }

    @Test("text is escaped between the two parts that every release stores")
    func token() {
        #expect(text(EventData.text("a\"b\n\u{2028}")) == #"{"text":"a\"b\n\u2028"}"#)
        let event = AnswerEvent(id: nil, name: .token, data: EventData.text("a\"b"))
        #expect(event.escapedText.map { text(Array($0)) } == #"a\"b"#)
    }

    @Test("queued, started and restarted as Redis stores them")
    func markers() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let claim = try await bench.claimed(by: consumer)
            let request = claim.request
            _ = try await consumer.claim(claim.delivery, bench.plan(.historyLost))
            #expect(
                try await bench.events(of: request.correlationID) == [
                    #"0-1 queued {"correlationId":"\#(request.correlationID)","#
                        + #""conversationId":"\#(request.conversationID)","position":1}"#,
                    #"1-0 started {"attempt":1,"provider":"mock","model":"mock-1"}"#,
                    #"2-0 restarted {"attempt":2,"reason":"history_lost","provider":"mock","model":"mock-1"}"#,
                ]
            )
            #expect(
                try await bench.events(of: request.correlationID).first?.hasSuffix(
                    text(EventData.queued(request, position: 1))
                ) == true
            )
        }
    }

    @Test("the end of a request that no worker runs, as Redis stores it")
    func ends() async throws {
        try await withRedis { bench in
            let consumer = bench.consumer()
            let unreadable = try await bench.claimed(by: consumer)
            let id = unreadable.request.correlationID
            try await bench.redis("HDEL", bench.keys.request(id), "conversation")
            try await consumer.failUnreadable(unreadable.delivery, detail: "no conversation")
            let failed = try await bench.events(of: id).last ?? ""
            #expect(failed.hasPrefix(#"1-1 failed {"type":"/problems/internal-error","title":""#))
            #expect(failed.hasSuffix(#","usage":{"inputTokens":0,"outputTokens":0},"attempts":1}"#))
            let waiting = try await bench.submit()
            _ = try await bench.repository.cancel(waiting, .interrupted)
            #expect(
                try await bench.events(of: waiting.correlationID).last
                    == #"0-2 cancelled {"reason":"interrupted","attempts":0,"usage":{"inputTokens":0,"outputTokens":0}}"#
            )
        }
    }
}
