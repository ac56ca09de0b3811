package import Shared
package import Telemetry
package import Tracing

extension TraceContext {
    /// Parses the carrier of a request; nil where it is malformed.
    package init?(_ carrier: TraceCarrier) { self.init(traceparent: carrier.parent, tracestate: carrier.state) }

    /// The carrier of a request.
    package var carrier: TraceCarrier { TraceCarrier(parent: traceparent, state: state) }
}

extension TraceCarrier {
    /// The trace's id for an exemplar; nil where the trace is not sampled.
    package var sampledID: String? { TraceContext(self)?.sampledTraceID }
}

extension Span {
    /// Sets the attributes of a job's operation, by OpenTelemetry's semantic conventions for messaging.
    package func describeJob(operation: String) {
        set("messaging.system", "redis")
        set("messaging.destination.name", "lemma.jobs")
        set("messaging.operation.type", .string(operation))
        set("messaging.operation.name", .string(operation))
    }
}

extension LogFields {
    /// Adds `trace_id` and `span_id`; nothing without a context.
    package mutating func add(_ context: TraceContext?) {
        guard let context else { return }
        self["trace_id"] = .string(context.traceID.description)
        self["span_id"] = .string(context.spanID.description)
    }
}
