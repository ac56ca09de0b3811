internal import Synchronization

/// A bounded queue of finished spans that wait for the exporter.
///
/// Safe from any thread. Enqueueing never blocks: a span that finds the queue full is dropped and counted.
package final class SpanQueue: Sendable {
    private struct State {
        var spans: [SpanRecord] = []
        var dropped = 0
    }

    private let spansMax: Int
    private let state = Mutex(State())

    /// `spansMax` is at least 1.
    package init(spansMax: Int) {
        precondition(spansMax > 0, "a span queue needs room for one span")
        self.spansMax = spansMax
    }

    /// Enqueues a span, or drops it if the queue is full.
    func offer(_ span: SpanRecord) {
        state.withLock { state in
            if state.spans.count < spansMax { state.spans.append(span) } else { state.dropped += 1 }
        }
    }

    /// Removes and returns the oldest spans, `count` at most.
    package func take(upTo count: Int) -> [SpanRecord] {
        state.withLock { state in
            let taken = Array(state.spans.prefix(count))
            state.spans.removeFirst(taken.count)
            return taken
        }
    }

    /// Number of spans in the queue.
    package var count: Int { state.withLock { $0.spans.count } }

    /// Number of spans dropped so far.
    package var dropped: Int { state.withLock { $0.dropped } }
}
