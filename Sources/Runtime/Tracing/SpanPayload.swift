internal import Text

/// The process that exports spans: the attributes of an OpenTelemetry resource.
package struct TraceResource: Sendable {
    package let attributes: [(key: String, value: SpanValue)]

    /// `instance` identifies a replica of the service.
    ///
    /// `others` replaces attributes of the same key, except the name of the service and the attributes `telemetry.sdk.*`.
    package init(
        service: String,
        version: String,
        instance: String,
        host: String,
        processID: Int,
        others: [(key: String, value: String)] = []
    ) {
        let fixed: [(key: String, value: SpanValue)] = [
            ("service.name", .string(service)), ("telemetry.sdk.name", "lemma"), ("telemetry.sdk.language", "swift"),
            ("telemetry.sdk.version", .string(version)),
        ]
        let found: [(key: String, value: SpanValue)] = [
            ("service.version", .string(version)), ("service.instance.id", .string(instance)),
            ("host.name", .string(host)), ("process.pid", .int(processID)),
        ]
        // Of two attributes with the same key, the first one is used.
        let all = fixed + others.reversed().map { ($0.key, .string($0.value)) } + found
        var keys: Set<String> = []
        attributes = all.filter { keys.insert($0.key).inserted }
    }
}

/// An `ExportTraceServiceRequest` of OTLP 1.x in its JSON mapping: ids in hexadecimal, 64-bit numbers as strings, enums
/// as numbers.
struct SpanPayload {
    private(set) var bytes: [UInt8]
    private var isFirst = true

    init(_ resource: TraceResource) {
        bytes = Array(#"{"resourceSpans":[{"resource":{"#.utf8)
        append(resource.attributes)
        add(#"},"scopeSpans":[{"scope":{"name":"lemma"},"spans":["#)
    }

    mutating func append(_ span: SpanRecord) {
        if !isFirst { add(",") }
        isFirst = false
        add(#"{"traceId":"\#(span.context.traceID)","spanId":"\#(span.context.spanID)""#)
        if let parent = span.parent { add(#","parentSpanId":"\#(parent)""#) }
        addState(span.context)
        add(#","flags":\#(Self.flags(span.context)),"name":"#)
        JSONText.append(span.name, to: &bytes)
        add(
            #","kind":\#(span.kind.rawValue),"startTimeUnixNano":"\#(span.start)","endTimeUnixNano":"\#(span.end)","#
        )
        append(span.attributes)
        if !span.links.isEmpty { append(span.links) }
        // 2 is STATUS_CODE_ERROR; the specification requires instrumentation to leave the status of a success unset.
        add(span.errorType == nil ? "}" : #","status":{"code":2}}"#)
    }

    /// Ends the request and returns it.
    consuming func finished() -> [UInt8] {
        add("]}]}]}")
        return bytes
    }

    private mutating func append(_ attributes: [(key: String, value: SpanValue)]) {
        add(#""attributes":["#)
        for (index, attribute) in attributes.enumerated() {
            add(index == 0 ? #"{"key":"# : #",{"key":"#)
            JSONText.append(attribute.key, to: &bytes)
            add(#","value":"#)
            append(attribute.value)
            add("}")
        }
        add("]")
    }

    private mutating func append(_ value: SpanValue) {
        switch value {
        case .string(let text):
            add(#"{"stringValue":"#)
            JSONText.append(text, to: &bytes)
            add("}")
        case .int(let number): add(#"{"intValue":"\#(number)"}"#)
        case .double(let number): add(#"{"doubleValue":\#(Self.text(number))}"#)
        case .bool(let flag): add(#"{"boolValue":\#(flag)}"#)
        case .strings(let texts):
            add(#"{"arrayValue":{"values":["#)
            for (index, text) in texts.enumerated() {
                if index > 0 { add(",") }
                append(.string(text))
            }
            add("]}}")
        }
    }

    private mutating func append(_ links: [TraceContext]) {
        add(#","links":["#)
        for (index, link) in links.enumerated() {
            if index > 0 { add(",") }
            add(#"{"traceId":"\#(link.traceID)","spanId":"\#(link.spanID)""#)
            addState(link)
            add(#","flags":\#(Self.flags(link))}"#)
        }
        add("]")
    }

    private mutating func addState(_ context: TraceContext) {
        guard let state = context.state else { return }
        add(#","traceState":"#)
        JSONText.append(state, to: &bytes)
    }

    /// JSON has neither infinities nor NaN, which the mapping writes as strings.
    private static func text(_ number: Double) -> String {
        if number.isNaN { return #""NaN""# }
        if number.isInfinite { return number > 0 ? #""Infinity""# : #""-Infinity""# }
        return number.description
    }

    /// The W3C flags.
    private static func flags(_ context: TraceContext) -> Int { context.isSampled ? 1 : 0 }

    private mutating func add(_ text: String) { bytes.append(contentsOf: text.utf8) }
}
