internal import EventLoop

/// Lets a number of tasks of one loop in at once; the others wait in line.
final class Gate {
    private let loop: Loop
    private var free: Int
    private var line: [OneShot<Bool>] = []

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
        line.append(turn)
        let timer = loop.schedule(after: limit) { turn.succeed(false) }
        defer { timer.close() }
        return try await turn.value()
    }

    func leave() {
        while !line.isEmpty {
            let turn = line.removeFirst()
            // One that is settled gave up waiting.
            guard !turn.isSettled else { continue }
            turn.succeed(true)
            return
        }
        free += 1
    }
}
