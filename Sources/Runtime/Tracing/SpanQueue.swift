internal import Synchronization

/// Finished spans that wait for the exporter; at most as many as it was made for.
///
/// Safe from any thread. Nobody waits for it: what finds no room is dropped and counted.
package final class SpanQueue: Sendable {
    private struct State {
        var spans: [SpanRecord] = []
        var dropped = 0
    }

    private let spansMax: Int
    private let state = Mutex(State())

    /// `spansMax` is at least 1.
    package init(spansMax: Int) {
        precondition(spansMax > 0, "a queue has room for one span at least")
        self.spansMax = spansMax
    }

    /// Takes a span where there is room.
    func offer(_ span: SpanRecord) {
        state.withLock { state in
            if state.spans.count < spansMax { state.spans.append(span) } else { state.dropped += 1 }
        }
    }

    /// The oldest spans, up to `count`, which are the caller's from now on.
    package func take(upTo count: Int) -> [SpanRecord] {
        state.withLock { state in
            let taken = Array(state.spans.prefix(count))
            state.spans.removeFirst(taken.count)
            return taken
        }
    }

    /// Spans that wait.
    package var count: Int { state.withLock { $0.spans.count } }

    /// Spans that found no room so far.
    package var dropped: Int { state.withLock { $0.dropped } }
}
