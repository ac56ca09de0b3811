/// Begins spans.
///
/// Safe from any thread; a process has one, or none where tracing is off.
package final class Tracer: Sendable {
    private let sampler: Sampler
    private let queue: SpanQueue

    /// Recorded spans are enqueued in `queue`, which never blocks.
    package init(sampler: Sampler, queue: SpanQueue) {
        self.sampler = sampler
        self.queue = queue
    }

    /// Returns ids for a span that begins later; it has a trace of its own unless it begins with a parent.
    package func plan() -> TraceContext {
        var random = SystemRandomNumberGenerator()
        return TraceContext(traceID: TraceID(using: &random), spanID: SpanID(using: &random), isSampled: true)
    }

    /// Begins a span: as a child of `parent`, or as the first span of a new trace.
    ///
    /// A parent-based sampler treats a span with links and without a parent like the first linked span. `planned` sets the id
    /// of the span, and without a parent also that of the trace.
    package func begin(
        _ name: String,
        _ kind: SpanKind,
        parent: TraceContext? = nil,
        links: [TraceContext] = [],
        at planned: TraceContext? = nil
    ) -> Span {
        var random = SystemRandomNumberGenerator()
        let traceID = parent?.traceID ?? planned?.traceID ?? TraceID(using: &random)
        let isSampled = sampler.samples(traceID, after: parent ?? links.first)
        let context = TraceContext(
            traceID: traceID,
            spanID: planned?.spanID ?? SpanID(using: &random),
            isSampled: isSampled,
            state: parent?.state,
        )
        let span = Span(name, kind, context, parent: parent, into: isSampled ? queue : nil)
        for link in links { span.link(link) }
        return span
    }
}
