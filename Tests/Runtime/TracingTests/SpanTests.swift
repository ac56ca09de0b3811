import TestSupport
import Testing

@testable import Tracing

@Suite("Spans", .tags(.unit))
struct SpanTests {
    private let queue = SpanQueue(spansMax: 4)

    private func tracer(_ sampler: Sampler = .alwaysOn) -> Tracer { Tracer(sampler: sampler, queue: queue) }

    @Test("a child belongs to its parent's trace and has an id of its own; a root begins a trace")
    func tree() throws {
        let root = tracer().begin("root", .server)
        let child = tracer().begin("child", .client, parent: root.context)
        #expect(child.context.traceID == root.context.traceID)
        #expect(child.context.spanID != root.context.spanID)
        #expect(tracer().begin("other", .server).context.traceID != root.context.traceID)
        child.end()
        root.end()
        let records = queue.take(upTo: 9)
        #expect(records.map(\.name) == ["child", "root"])
        #expect(records.map(\.parent) == [root.context.spanID, nil])
        #expect(records.allSatisfy { $0.start <= $0.end })
    }

    @Test("what comes after the end, and a second end, change nothing")
    func ended() throws {
        let span = tracer().begin("x", .internal)
        span.set("a", 1)
        span.set("a", 2)
        span.end()
        span.set("a", 3)
        span.end()
        let record = try #require(queue.take(upTo: 9).first)
        #expect(queue.count == 0)
        #expect(record.attributes.map(\.value) == [2])
    }

    @Test("a full queue drops the newest spans and counts them")
    func full() {
        for number in 0..<7 { tracer().begin("\(number)", .internal).end() }
        #expect(queue.dropped == 3)
        #expect(queue.take(upTo: 3).map(\.name) == ["0", "1", "2"])
        #expect(queue.take(upTo: 3).map(\.name) == ["3"])
    }

    @Test("a span that is not sampled carries its ids on and is not recorded")
    func unsampled() {
        let span = tracer(.alwaysOff).begin("x", .server)
        #expect(!span.isRecording && !span.context.isSampled)
        span.end()
        #expect(queue.count == 0)
    }

    @Test("a span that only has links is sampled as they are")
    func links() throws {
        let lost = tracer(.alwaysOff).begin("x", .server)
        let following = tracer(.parentBased(root: .alwaysOn)).begin("y", .consumer, links: [lost.context])
        #expect(!following.isRecording)
        let kept = tracer().begin("x", .server)
        let next = tracer(.parentBased(root: .alwaysOff)).begin("y", .consumer, links: [kept.context])
        #expect(next.context.traceID != kept.context.traceID)
        next.end()
        #expect(try #require(queue.take(upTo: 1).first).links == [kept.context])
    }
}
