package import EventLoop

/// Runs `body` on a loop of its own, which ends afterwards and closes all open handles.
package func onLoop<Result: Sendable>(
    _ body: @escaping @Sendable (isolated Loop) async throws -> Result
) async throws -> Result {
    let group = LoopGroup(count: 1)
    defer { group.stop() }
    return try await group.loops[0].run(body)
}

/// Why a test stopped waiting.
package struct NeverHappened: Error {
    package let what: String
    package init(what: String) { self.what = what }
}

/// Suspends for some turns of the loop: each turn polls the sockets and runs the timers that are due.
///
/// Everything that was ready before the call has run when it returns. To be called on `loop`.
package func turn(_ loop: Loop, times count: Int = 8) async throws {
    for _ in 0..<count { try await loop.sleep(for: .zero) }
}

/// Suspends until `value` has not changed for 100 turns of the loop; returns it.
///
/// For conditions without a signal, such as a full socket buffer. To be called on `loop`.
package func settled<Value: Equatable>(on loop: Loop, _ value: () -> Value) async throws -> Value {
    var last = value()
    var same = 0
    while same < 100 {
        try await turn(loop, times: 1)
        let next = value()
        same = next == last ? same + 1 : 0
        last = next
    }
    return last
}

/// Polls until `condition` holds, for 30 seconds at most.
///
/// To be called on a loop.
package func eventually(_ what: String, on loop: Loop, _ condition: () -> Bool) async throws {
    let start = ContinuousClock.now
    while !condition() {
        guard ContinuousClock.now - start < .seconds(30) else { throw NeverHappened(what: what) }
        try await loop.sleep(for: .milliseconds(5))
    }
}
