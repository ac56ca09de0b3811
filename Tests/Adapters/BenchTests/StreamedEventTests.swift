import Shared
import TestSupport
import Testing

@testable import Bench

@Suite("Reading events", .tags(.unit))
struct StreamedEventTests {
    private static let text =
        "retry: 2000\n: heartbeat\nid: 1-5\nevent: token\ndata: {\"text\":\"12 345 \"}\n\nevent: queued\ndata: {}\n\n"

    @Test("Whole events are taken wherever the reads cut them", arguments: 1...60)
    func pieces(size: Int) {
        let bytes = Array(Self.text.utf8)
        var buffer: [UInt8] = []
        var events: [StreamedEvent] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            buffer += bytes[start..<min(start + size, bytes.count)]
            StreamedEvent.takeAll(from: &buffer) { events.append($0) }
        }
        #expect(buffer.isEmpty)
        #expect(events.map(\.name) == ["token", "queued"])
        #expect(events.map(\.id) == [EventID(attempt: 1, sequence: 5), nil])
    }

    @Test("Every timestamp joined in one token event counts")
    func timestamps() {
        var buffer = Array(Self.text.utf8)
        var found: [Int64] = []
        StreamedEvent.takeAll(from: &buffer) { $0.forEachTimestamp { found.append($0) } }
        #expect(found == [12, 345])
    }
}
