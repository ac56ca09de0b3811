/// A place in a distributed trace, as it travels with a request: the headers of W3C Trace Context.
///
/// The rules pass it on and never look into it.
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
