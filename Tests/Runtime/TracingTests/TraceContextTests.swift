import TestSupport
import Testing

@testable import Tracing

/// The cases of the W3C's own test suite for Trace Context, as far as they concern a receiver.
@Suite("W3C trace context", .tags(.unit))
struct TraceContextTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let span = "b7ad6b7169203331"
    private static let parent = "00-\(trace)-\(span)-01"

    @Test("version 00 is read and written as it came")
    func roundTrip() throws {
        for flags in ["00", "01"] {
            let text = "00-\(Self.trace)-\(Self.span)-\(flags)"
            let context = try #require(TraceContext(traceparent: text))
            #expect(context.traceparent == text && context.isSampled == (flags == "01"))
            #expect(context.traceID.description == Self.trace && context.spanID.description == Self.span)
        }
    }

    @Test(
        "a malformed traceparent is none at all",
        arguments: [
            "", "00", "00-", parent.dropLast(), parent + "0", parent + "-", parent + "-what-the-future-brings",
            // Versions.
            "ff-\(trace)-\(span)-01", "0-\(trace)-\(span)-01", "000-\(trace)-\(span)-01", ".0-\(trace)-\(span)-01",
            "0.-\(trace)-\(span)-01", "AA-\(trace)-\(span)-01",
            // Trace ids.
            "00-\(String(repeating: "0", count: 32))-\(span)-01", "00-\(trace.dropLast())-\(span)-01",
            "00-\(trace)0-\(span)-01", "00-\(trace.dropLast()).-\(span)-01", "00-\(trace.uppercased())-\(span)-01",
            "00-\(trace.dropLast(2))0x-\(span)-01", "00--\(span)-01",
            // Span ids.
            "00-\(trace)-0000000000000000-01", "00-\(trace)-\(span.dropLast())-01", "00-\(trace)-\(span)0-01",
            "00-\(trace)-\(span.dropLast()).-01", "00-\(trace)-\(span.uppercased())-01", "00-\(trace)--01",
            // Flags.
            "00-\(trace)-\(span)-.0", "00-\(trace)-\(span)-0.", "00-\(trace)-\(span)-0G", "00-\(trace)-\(span)-0A",
            "00-\(trace)-\(span)-1", "00-\(trace)-\(span)-", "00-\(trace)-\(span)",
            // Separators and what is around.
            "00_\(trace)_\(span)_01", "00-\(trace)-\(span)_01", " \(parent)", "\(parent) ", "\t\(parent)",
            "00-\(trace.dropLast())é-\(span)-01", String(repeating: "0", count: 55), String(repeating: "-", count: 55),
        ] as [any StringProtocol & Sendable]
    )
    func malformed(text: any StringProtocol & Sendable) {
        #expect(TraceContext(traceparent: String(text)) == nil)
    }

    @Test("of a later version what version 00 knows is read, and version 00 goes out")
    func laterVersions() throws {
        for extra in ["", "-", "-what-the-future-brings"] {
            let context = try #require(TraceContext(traceparent: "cc-\(Self.trace)-\(Self.span)-01\(extra)"))
            #expect(context.traceparent == Self.parent)
        }
        #expect(TraceContext(traceparent: "cc-\(Self.trace)-\(Self.span)-01.what-the-future-brings") == nil)
        #expect(TraceContext(traceparent: "cc-\(Self.trace)-\(Self.span)-010") == nil)
    }

    @Test("flags that version 00 does not know are dropped")
    func unknownFlags() throws {
        for (flags, isSampled) in [("ff", true), ("fe", false), ("02", false), ("03", true), ("80", false)] {
            let context = try #require(TraceContext(traceparent: "00-\(Self.trace)-\(Self.span)-\(flags)"))
            #expect(context.isSampled == isSampled)
            #expect(context.traceparent.hasSuffix(isSampled ? "-01" : "-00"))
        }
    }

    @Test("no mutation of a traceparent traps or is read with other ids")
    func mutations() {
        var random = SeededRandom(seed: 0x7AC3)
        for _ in 0..<20_000 {
            var bytes = Array(Self.parent.utf8)
            for _ in 0...Int.random(in: 0...2, using: &random) {
                let index = Int.random(in: bytes.indices, using: &random)
                switch Int.random(in: 0...2, using: &random) {
                case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &random)
                case 1 where bytes.count > 1: bytes.remove(at: index)
                case _: bytes.insert(UInt8.random(in: 0x20...0x7E, using: &random), at: index)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            guard let context = TraceContext(traceparent: text) else { continue }
            #expect(text.hasPrefix("00") == (context.traceparent.dropLast(2) == text.dropLast(2)) || text.count > 55)
            #expect(text.contains(context.traceID.description) && text.contains(context.spanID.description))
        }
    }
}

@Suite("tracestate", .tags(.unit))
struct TraceStateTests {
    private static func state(_ header: String) -> String? {
        TraceContext(
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            tracestate: header,
        )?.state
    }

    @Test("members are passed on unchanged and in order, without surrounding blanks and without empty ones")
    func passedOn() {
        #expect(Self.state("foo=1") == "foo=1")
        #expect(Self.state("foo=1,bar=2") == "foo=1,bar=2")
        #expect(Self.state("foo=1 \t , \t bar=2, \t baz=3") == "foo=1,bar=2,baz=3")
        #expect(Self.state("foo=1,,,bar=2,") == "foo=1,bar=2")
        #expect(Self.state("foo=bar=baz") == nil)
        #expect(Self.state("foo= 1") == "foo= 1")
    }

    @Test("32 members are passed on, of 33 none is")
    func count() {
        let members = (0..<33).map { "bar\($0)=\($0)" }
        let most = members.prefix(32).joined(separator: ",")
        #expect(Self.state(most) == most)
        #expect(Self.state(members.joined(separator: ",")) == nil)
    }

    @Test("512 bytes are passed on, of 513 none is")
    func length() {
        let half = "a=" + String(repeating: "v", count: 253)
        let most = half + ",b=" + String(repeating: "w", count: 254)
        #expect(most.utf8.count == 512)
        #expect(Self.state(most) == most)
        #expect(Self.state(most + "w") == nil)
    }

    @Test("keys are lower-case letters, digits and a few marks, 256 at most, and each is there once")
    func keys() {
        let longest = String(repeating: "z", count: 256)
        for key in ["a", "0", "1a", "a_-*/@z", "fw529a3039@dt", longest] {
            #expect(Self.state("\(key)=1") == "\(key)=1", "\(key)")
        }
        for key in ["", "A", "foo bar", "foo\u{0}", "-a", "_a", "@a", "a.b", "ä", longest + "z", "foo "] {
            #expect(Self.state("\(key)=1") == nil, "\(key)")
        }
        #expect(Self.state("foo=1,foo=1") == nil)
        #expect(Self.state("foo=1,bar=2,foo=3") == nil)
    }

    @Test("values are printable, 256 bytes at most, without = and commas")
    func values() {
        let longest = String(repeating: "v", count: 256)
        for value in ["!", "a b", "~", #"0x!"#, longest] {
            #expect(Self.state("a=\(value)") == "a=\(value)", "\(value)")
        }
        for value in ["", "a\tb", "a=b", "ä", "\u{7F}", "\u{0}", longest + "v"] {
            #expect(Self.state("a=\(value)") == nil, "\(value)")
        }
        for header in ["", ",", " , ", "a", "a=1,b"] { #expect(Self.state(header) == nil, "\(header)") }
    }

    @Test("a malformed tracestate leaves the traceparent what it is")
    func alone() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let context = TraceContext(traceparent: parent, tracestate: "A=1")
        #expect(context?.traceparent == parent && context?.state == nil)
    }
}
