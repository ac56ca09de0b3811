internal import EventLoop

/// Admits a number of tasks of one loop at once; the others wait in order.
final class Gate {
    private let loop: Loop
    private var free: Int
    private var waiters: [OneShot<Bool>] = []

    init(width: Int, on loop: Loop) {
        self.loop = loop
        free = width
    }

    /// Waits for a place; false if there was none within `limit`.
    ///
    /// Each entry needs one ``leave()``.
    func enter(within limit: Duration) async throws(CancellationError) -> Bool {
        if Task.isCancelled { throw CancellationError() }
        if free > 0 {
            free -= 1
            return true
        }
        let turn = OneShot<Bool>(loop: loop)
        waiters.append(turn)
        let timer = loop.schedule(after: limit) { turn.succeed(false) }
        defer { timer.close() }
        return try await turn.value()
    }

    func leave() {
        while !waiters.isEmpty {
            let turn = waiters.removeFirst()
            // A settled one has timed out.
            guard !turn.isSettled else { continue }
            turn.succeed(true)
            return
        }
        free += 1
    }
}
