/// Begins spans.
///
/// Safe from any thread; a process has one, or none where tracing is off.
package final class Tracer: Sendable {
    private let sampler: Sampler
    private let queue: SpanQueue

    /// Recorded spans go to `queue`, which never makes anybody wait.
    package init(sampler: Sampler, queue: SpanQueue) {
        self.sampler = sampler
        self.queue = queue
    }

    /// A place for a span that begins later, of a trace of its own unless it gets a parent.
    package func plan() -> TraceContext {
        var random = SystemRandomNumberGenerator()
        return TraceContext(traceID: TraceID(using: &random), spanID: SpanID(using: &random), isSampled: true)
    }

    /// Begins a span: as a child of `parent`, or as the first of a trace of its own.
    ///
    /// One that only links to others is sampled as the first of them is, where the sampler goes by parents. A `planned`
    /// place gives the span's id, and that of its trace where there is no parent.
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
