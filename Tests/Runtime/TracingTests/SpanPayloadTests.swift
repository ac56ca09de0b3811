import TestSupport
import Testing

@testable import Tracing

@Suite("OTLP in JSON", .tags(.unit))
struct SpanPayloadTests {
    private static let resource = TraceResource(
        service: "lemma-\"test\"",
        version: "1.2.3",
        instance: "i\u{7}",
        host: "höst",
        processID: 42,
    )

    private static func context(_ last: Character, state: String? = nil, isSampled: Bool = true) throws -> TraceContext
    {
        let text = "00-0af7651916cd43dd8448eb211c80319\(last)-00000000000000a\(last)-0\(isSampled ? 1 : 0)"
        return try #require(TraceContext(traceparent: text, tracestate: state))
    }

    private static func record(
        _ name: String = "x",
        attributes: [(key: String, value: SpanValue)] = [],
        links: [TraceContext] = [],
        parent: SpanID? = nil,
        state: String? = nil,
        errorType: String? = nil
    ) throws -> SpanRecord {
        SpanRecord(
            context: try context("c", state: state),
            parent: parent,
            name: name,
            kind: .producer,
            start: 1_764_171_000_123_456_789,
            end: .max,
            attributes: attributes,
            links: links,
            errorType: errorType,
        )
    }

    private static func exported(_ records: SpanRecord...) throws -> ExportedSpans {
        var payload = SpanPayload(resource)
        for record in records { payload.append(record) }
        return try ExportedSpans(payload.finished())
    }

    @Test("an operator's attributes win over what was found, not over the service and what exports")
    func otherAttributes() {
        let resource = TraceResource(
            service: "s",
            version: "1",
            instance: "i",
            host: "h",
            processID: 1,
            others: [("host.name", "mine"), ("team", "math"), ("service.name", "x"), ("telemetry.sdk.name", "x")],
        )
        let keys = resource.attributes.map(\.key)
        #expect(Set(keys).count == keys.count)
        let values = Dictionary(uniqueKeysWithValues: resource.attributes.map { ($0.key, $0.value) })
        #expect(values["host.name"] == .string("mine") && values["team"] == .string("math"))
        #expect(values["service.name"] == .string("s") && values["telemetry.sdk.name"] == .string("lemma"))
    }

    @Test("the resource describes the process, its service and the exporter")
    func resource() throws {
        let request = try Self.exported()
        let resource = try #require(request.resourceSpans.first)
        var found: [String: String] = [:]
        for attribute in resource.resource.attributes {
            found[attribute.key] = attribute.value.stringValue ?? attribute.value.intValue
        }
        #expect(
            found == [
                "service.name": "lemma-\"test\"", "service.version": "1.2.3", "service.instance.id": "i\u{7}",
                "host.name": "höst", "process.pid": "42", "telemetry.sdk.name": "lemma",
                "telemetry.sdk.language": "swift", "telemetry.sdk.version": "1.2.3",
            ]
        )
        #expect(resource.scopeSpans.map(\.scope.name) == ["lemma"])
        #expect(request.spans.isEmpty)
    }

    @Test("a span has its ids in lower case, its 64-bit numbers as strings, its kind and flags as numbers")
    func span() throws {
        let parent = try Self.context("d").spanID
        let span = try #require(try Self.exported(Self.record(parent: parent, state: "a=1,b=\"")).spans.first)
        #expect(span.traceId == "0af7651916cd43dd8448eb211c80319c" && span.spanId == "00000000000000ac")
        #expect(span.parentSpanId == "00000000000000ad" && span.traceState == "a=1,b=\"" && span.flags == 1)
        #expect(span.name == "x" && span.kind == 4)
        #expect(span.startTimeUnixNano == "1764171000123456789" && span.endTimeUnixNano == "18446744073709551615")
        #expect(span.attributes.isEmpty && span.links == nil && span.status == nil)
    }

    @Test("the kinds are numbered as OTLP has them")
    func kinds() {
        #expect([SpanKind.internal, .server, .client, .producer, .consumer].map(\.rawValue) == [1, 2, 3, 4, 5])
    }

    @Test("what is not there is left out: parent, state, links, and the status of a success")
    func absent() throws {
        var payload = SpanPayload(Self.resource)
        payload.append(try Self.record())
        let text = String(decoding: payload.finished(), as: UTF8.self)
        for name in ["parentSpanId", "traceState", "links", "status", "null"] { #expect(!text.contains(name)) }
    }

    @Test("a failure has the status code of an error, and no words that could hold content")
    func failure() throws {
        let status = try #require(try Self.exported(Self.record(errorType: "timed_out")).spans.first?.status)
        #expect(status.code == 2 && status.message == nil)
    }

    @Test("links have ids, state and flags")
    func links() throws {
        let links = [try Self.context("1", state: "k=v"), try Self.context("2", isSampled: false)]
        let read = try #require(try Self.exported(Self.record(links: links)).spans.first?.links)
        #expect(
            read == [
                ExportedSpans.Link(
                    traceId: "0af7651916cd43dd8448eb211c803191",
                    spanId: "00000000000000a1",
                    traceState: "k=v",
                    flags: 1,
                ),
                ExportedSpans.Link(traceId: "0af7651916cd43dd8448eb211c803192", spanId: "00000000000000a2", flags: 0),
            ]
        )
    }

    @Test("every kind of value has its form")
    func values() throws {
        typealias Value = ExportedSpans.Attribute.Value
        let values: [(SpanValue, Value)] = [
            (.string(""), Value(stringValue: "")), (.int(.min), Value(intValue: "-9223372036854775808")),
            (.int(.max), Value(intValue: "9223372036854775807")), (.bool(true), Value(boolValue: true)),
            (.bool(false), Value(boolValue: false)), (.double(0.25), Value(doubleValue: .finite(0.25))),
            (.double(1e300), Value(doubleValue: .finite(1e300))),
            (.double(-2.5e-300), Value(doubleValue: .finite(-2.5e-300))),
            (.double(.nan), Value(doubleValue: .word("NaN"))),
            (.double(.infinity), Value(doubleValue: .word("Infinity"))),
            (.double(-.infinity), Value(doubleValue: .word("-Infinity"))),
            (.strings([]), Value(arrayValue: .init(values: []))),
            (
                .strings(["a", "b"]),
                Value(arrayValue: .init(values: [Value(stringValue: "a"), Value(stringValue: "b")]))
            ),
        ]
        let record = try Self.record(attributes: values.enumerated().map { ("k\($0)", $1.0) })
        let read = try #require(try Self.exported(record).spans.first).attributes
        #expect(read.map(\.key) == values.indices.map { "k\($0)" })
        for (read, (_, expected)) in zip(read, values) { #expect(read.value == expected) }
    }

    @Test("no text breaks the JSON at any place")
    func texts() throws {
        var random = SeededRandom(seed: 0x07E1)
        for _ in 0..<200 {
            let text = random.text(scalars: 40)
            let record = try Self.record(text, attributes: [(text, .string(text)), ("list", .strings([text, text]))])
            let span = try #require(try Self.exported(record, Self.record()).spans.first)
            // Scalar by scalar: equal strings may be normalised differently.
            let read = [
                span.name, span.attributes[0].key, span.attributes[0].value.stringValue ?? "",
                span.attributes[1].value.arrayValue?.values.last?.stringValue ?? "",
            ]
            for read in read { #expect(Array(read.unicodeScalars) == Array(text.unicodeScalars)) }
        }
    }

    @Test("what a collector says of rejected spans is read in either form, and garbage rejects none")
    func rejections() {
        func rejected(_ body: String) -> Int { SpanExporter.rejectedSpans(Array(body.utf8)) }
        #expect(rejected(#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"x"}}"#) == 3)
        #expect(rejected(#"{"partialSuccess":{"rejectedSpans":3}}"#) == 3)
        for body in [
            "", "{}", #"{"partialSuccess":{}}"#, #"{"partialSuccess":null}"#, "[]", "<html>", "\u{0}",
            #"{"partialSuccess":{"rejectedSpans":"-3"}}"#, #"{"partialSuccess":{"rejectedSpans":-3}}"#,
            #"{"partialSuccess":{"rejectedSpans":"many"}}"#, #"{"partialSuccess":{"rejectedSpans":1e99}}"#,
            #"{"partialSuccess":{"errorMessage":"only a warning"}}"#,
        ] {
            #expect(rejected(body) == 0, "\(body)")
        }
    }
}
