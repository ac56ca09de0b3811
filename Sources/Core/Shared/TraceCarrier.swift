/// The trace context of a request: the headers of W3C Trace Context.
///
/// Core propagates it and does not interpret it.
package struct TraceCarrier: Sendable, Hashable {
    /// `traceparent`.
    package let parent: String
    /// `tracestate`.
    package let state: String?

    package init(parent: String, state: String?) {
        self.parent = parent
        self.state = state
    }
}
