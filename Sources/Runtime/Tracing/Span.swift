internal import Time

/// The role of a span relative to its parent and children.
package enum SpanKind: Int, Sendable {
    // The numbers are OTLP's.
    case `internal` = 1
    case server = 2
    case client = 3
    case producer = 4
    case consumer = 5
}

/// The value of an attribute.
package enum SpanValue: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral
{
    case string(String)
    case int(Int)
    case double(Double)
    case bool(Bool)
    case strings([String])

    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .int(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
}

/// A finished span that is to be exported.
package struct SpanRecord: Sendable {
    package let context: TraceContext
    package let parent: SpanID?
    package let name: String
    package let kind: SpanKind
    /// Nanoseconds since 1970.
    package let start: UInt64
    package let end: UInt64
    package let attributes: [(key: String, value: SpanValue)]
    package let links: [TraceContext]
    /// The failure as a value of `error.type`; nil without a failure.
    package let errorType: String?
}

/// One operation, from its beginning to its end.
///
/// A span that is not sampled only propagates its ids. Attributes never contain problems or answers. Not thread-safe: a
/// span stays on the loop that began it.
package final class Span {
    /// The context that is propagated to children.
    package let context: TraceContext
    /// The span before it in the same trace, in this process or another one.
    package let parent: TraceContext?
    /// May be changed until the end.
    package var name: String

    private let kind: SpanKind
    private let start: UInt64
    private let begin: ContinuousClock.Instant
    private let queue: SpanQueue?
    private var attributes: [(key: String, value: SpanValue)] = []
    private var links: [TraceContext] = []
    private var errorType: String?
    private var isEnded = false

    init(_ name: String, _ kind: SpanKind, _ context: TraceContext, parent: TraceContext?, into queue: SpanQueue?) {
        self.name = name
        self.kind = kind
        self.context = context
        self.parent = parent
        self.queue = queue
        start = UInt64(UnixTime.nanoseconds)
        begin = .now
    }

    /// True if the span will be exported and attributes are therefore used.
    package var isRecording: Bool { queue != nil && !isEnded }

    /// Sets an attribute, replacing one of the same name.
    package func set(_ key: String, _ value: SpanValue?) {
        guard isRecording, let value else { return }
        if let index = attributes.firstIndex(where: { $0.key == key }) {
            attributes[index].value = value
        } else {
            attributes.append((key, value))
        }
    }

    /// Links a related span of another trace.
    package func link(_ other: TraceContext?) {
        guard isRecording, let other, !links.contains(other) else { return }
        links.append(other)
    }

    /// Marks the operation as failed; `type` is from a closed set (OpenTelemetry's `error.type`).
    package func fail(_ type: String) {
        errorType = type
        set("error.type", .string(type))
    }

    /// Ends the span and enqueues it for export; later calls have no effect.
    package func end() {
        guard !isEnded else { return }
        let queue = queue
        isEnded = true
        guard let queue else { return }
        queue.offer(
            SpanRecord(
                context: context,
                parent: parent?.spanID,
                name: name,
                kind: kind,
                start: start,
                end: start + UInt64((ContinuousClock.now - begin).wholeNanoseconds),
                attributes: attributes,
                links: links,
                errorType: errorType,
            )
        )
    }
}
