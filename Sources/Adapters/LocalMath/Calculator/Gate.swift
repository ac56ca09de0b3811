internal import EventLoop

/// Lets a number of tasks of one loop in at once; the others wait in line.
final class Gate {
    private let loop: Loop
    private var free: Int
    private var line: [OneShot<Void>] = []

    init(width: Int, on loop: Loop) {
        self.loop = loop
        free = width
    }

    /// Waits for a place; each entry needs one ``leave()``.
    func enter() async throws(CancellationError) {
        if Task.isCancelled { throw CancellationError() }
        if free > 0 {
            free -= 1
            return
        }
        let turn = OneShot<Void>(loop: loop)
        line.append(turn)
        try await turn.value()
    }

    func leave() {
        while !line.isEmpty {
            let turn = line.removeFirst()
            // One that is settled gave up waiting.
            guard !turn.isSettled else { continue }
            turn.succeed(())
            return
        }
        free += 1
    }
}
