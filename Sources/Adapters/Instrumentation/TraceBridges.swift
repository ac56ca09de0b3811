package import Shared
package import Telemetry
package import Tracing

extension TraceContext {
    /// The place that a request carries; nil where it is malformed.
    package init?(_ carrier: TraceCarrier) { self.init(traceparent: carrier.parent, tracestate: carrier.state) }

    /// This place, for a request to carry.
    package var carrier: TraceCarrier { TraceCarrier(parent: traceparent, state: state) }
}

extension TraceCarrier {
    /// The trace's id where it is recorded, for an exemplar.
    package var sampledID: String? { TraceContext(self)?.sampledTraceID }
}

extension Span {
    /// Says what is done with a job, by OpenTelemetry's semantic conventions for messaging.
    package func describeJob(operation: String) {
        set("messaging.system", "redis")
        set("messaging.destination.name", "lemma.jobs")
        set("messaging.operation.type", .string(operation))
        set("messaging.operation.name", .string(operation))
    }
}

extension LogFields {
    /// Adds `trace_id` and `span_id`, where there is a trace.
    package mutating func add(_ context: TraceContext?) {
        guard let context else { return }
        self["trace_id"] = .string(context.traceID.description)
        self["span_id"] = .string(context.spanID.description)
    }
}
